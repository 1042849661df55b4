"""From what is shown to a sample, and on to a training run."""
