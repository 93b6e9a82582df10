"""Scenes, networks, training and judge of the demo checkpoint in ``assets/demo``."""
