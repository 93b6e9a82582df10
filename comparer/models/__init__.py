"""Catalogue, samplers, downloads and families of models."""
