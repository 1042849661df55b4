"""From a network's input to a label, or none."""
