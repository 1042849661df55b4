"""The program in an export: `bundle` puts these modules, and those that they import, into one file, predict.py."""
