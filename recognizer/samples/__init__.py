"""The captured data set."""
