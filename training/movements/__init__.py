"""What the recognition of signs that move is fitted on: the embedding of all movements, and the shipped J and Z."""
