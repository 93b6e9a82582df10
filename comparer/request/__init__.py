"""Requests: ``request.Request``, built from typed values (``build``) or from a file (``restore``)."""
