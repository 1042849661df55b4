"""A camera drawn by code."""
