"""From a crop to what a network takes; training imports it, too."""
