"""Metrics on held-out inputs."""
