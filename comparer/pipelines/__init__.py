"""Pipelines: ``loader.load`` builds a checkpoint's pipeline on a device, keeps it and frees it."""
