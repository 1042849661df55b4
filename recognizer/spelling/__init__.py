"""Words from signs: letters that are held, suggestions of a dictionary, and practice."""
