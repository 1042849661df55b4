"""Training of the networks that detect handwriting."""
