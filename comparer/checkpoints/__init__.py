"""Locate and inspect checkpoint files without loading their weights."""
