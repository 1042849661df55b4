"""What a stage costs, beside what a user would write by hand, in one run on one machine."""
