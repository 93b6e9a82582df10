"""Batch evaluation: ``batch`` runs a product of settings and can be resumed, ``assertions`` checks the results."""
