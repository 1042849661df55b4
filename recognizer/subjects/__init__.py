"""What can be held up: paper, a hand, anything in the box."""
