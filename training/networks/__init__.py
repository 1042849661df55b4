"""Keras networks, and how they become LiteRT files."""
