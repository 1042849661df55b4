"""Training on samples of the user's own."""
