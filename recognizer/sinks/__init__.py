"""Sinks: they write observations to a video, a contact sheet or a CSV file."""
