"""A synthetic camera: renders scenes of handwriting and hand signs."""
