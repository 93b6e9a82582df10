"""Statistics: ``intervals``, ``bootstrap``, ``power``, and the ``verdict`` derived from ``evidence``."""
