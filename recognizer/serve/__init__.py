"""The web server: REST API and browser page on the same pipeline, samples and models as the window."""
