"""Statistics: ``intervals``, ``bootstrap``, ``sign_flip``, ``power``, and the ``verdict`` derived from ``evidence``."""
