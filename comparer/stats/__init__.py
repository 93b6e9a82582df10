"""Statistics: ``intervals``, ``fieller``, ``power``, and the ``verdict`` derived from ``evidence``."""
