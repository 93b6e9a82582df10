"""Requests: ``request.Request``, built from typed values (``build``) or restored from a file (``restore``)."""
