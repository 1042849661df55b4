"""Scripts that fit, evaluate and publish networks."""
