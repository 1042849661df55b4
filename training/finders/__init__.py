"""The networks that find writing."""
