"""Region finders: one protocol, `find(frame) -> tuple of Region`, in reading order; `()` when nothing is there."""
