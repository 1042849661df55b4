"""Access to the operating system, native libraries and the network."""
