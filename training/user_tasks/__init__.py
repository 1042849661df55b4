"""Trains a task's model on the samples that the user recorded."""
