"""Models to take along: a folder with the networks, how to use them, and a check that they answer as this program does."""
