"""Comparer: measure, side by side, what a diffusion accelerator gains and what it costs."""

__version__ = "0.1.0"
