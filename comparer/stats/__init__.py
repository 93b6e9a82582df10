"""Statistics: ``intervals``, ``bootstrap``, ``power``, and the ``verdict`` that is drawn from ``evidence``."""
