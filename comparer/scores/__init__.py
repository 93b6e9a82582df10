"""Scores of finished pictures; never inside a timed region."""
