"""Pipelines: ``loader.load`` builds a checkpoint's pipeline on a device, caches it and frees it."""
