"""Data sets and drawn scenes."""
