"""Readers of other programs' settings, one file per program; ``registry.read`` tries them in order."""
