"""Plots as SVG: ``charts`` renders the figures of a run, ``curves`` values over timesteps."""
