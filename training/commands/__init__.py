"""Parses the command line into settings and calls the training; one file per group of commands."""
