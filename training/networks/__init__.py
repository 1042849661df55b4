"""Keras networks and their export to LiteRT."""
