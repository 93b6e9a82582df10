"""Checkpoint files: ``scan`` detects the layout from names, headers and configs; ``tensors`` reads them."""
