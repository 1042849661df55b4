"""The processes that read pictures for the server."""
