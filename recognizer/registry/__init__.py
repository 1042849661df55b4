"""Trained models and downloaded files."""
