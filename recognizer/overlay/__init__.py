"""What is drawn on a copy of the frame."""
