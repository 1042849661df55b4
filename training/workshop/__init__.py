"""Fits, compares and reports networks on many data sets."""
