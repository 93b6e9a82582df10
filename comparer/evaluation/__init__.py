"""Batch evaluation: ``batch`` runs a product of settings and can be resumed, ``assertions`` judge it."""
