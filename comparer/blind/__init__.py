"""Blind tests: ``sessions`` keeps them on disk, ``votes`` counts them."""
