"""Recording samples and training on them."""
