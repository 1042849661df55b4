"""A webcam recognizer that learns: what runs live."""
