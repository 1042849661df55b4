"""Actions: what a label does, as a file of the user says."""
