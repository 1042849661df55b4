"""One file a group of words: words to settings, and the call of what they ask for."""
