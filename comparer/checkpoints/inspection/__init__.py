"""Inspection of weights: ``card.make``, ``compare.compare``, fingerprints and health."""
