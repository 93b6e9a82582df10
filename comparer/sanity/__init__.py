"""Sanity check of a checkpoint: a few images, measured, scored and judged."""
