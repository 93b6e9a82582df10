"""Which models there are, how they are sampled, and how they are loaded."""
