"""Statistics: ``intervals``, ``fieller``, ``sign_flip``, ``power``, and the ``verdict`` derived from ``evidence``."""
