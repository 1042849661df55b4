"""Worker processes that recognize pictures for the server, training jobs, and the sample index."""
