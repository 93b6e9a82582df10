"""Accelerators: one file per method; ``registry`` finds, parses and builds them, ``stack`` applies them."""
