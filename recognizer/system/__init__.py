"""What the operating system, native libraries and the network need."""
