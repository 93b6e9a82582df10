"""Plots as SVG: ``charts`` draws them, ``curves`` the latents' distances."""
