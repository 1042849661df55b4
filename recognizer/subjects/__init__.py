"""What a task recognizes: writing on paper, hands, or objects in the guide box."""
