"""Trains, evaluates and publishes models."""
