"""Comparer: see, side by side and honestly measured, what an accelerator gives and what it costs."""

__version__ = "0.1.0"
