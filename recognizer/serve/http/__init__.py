"""What every request passes: settings, the guard, limits of uploads, errors as JSON, and counters."""
