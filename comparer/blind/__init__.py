"""Blind tests: ``trials`` are what one person judges, ``sessions`` keeps them on disk, ``votes`` counts them."""
