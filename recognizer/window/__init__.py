"""The window: the sink that shows frames and handles keys."""
