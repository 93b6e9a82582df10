"""Metrics of images and latents: CLIP score, similarity of pairs, distance of latents."""
