"""Signs that move: from the joints of consecutive frames to a movement, its features, and its label."""
