"""Events: a label has appeared, is held, or has gone. The folder is not called events: that is a function of the API."""
