"""The sink with keys."""
