"""Turns a trained network into a model version."""
