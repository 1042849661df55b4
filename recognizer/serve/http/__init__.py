"""Parts that all routes share: settings, security, limits of uploads, errors as JSON, and metrics."""
