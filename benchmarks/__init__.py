"""Benchmarks that compare each stage with a hand-written equivalent, in one run on one machine."""
