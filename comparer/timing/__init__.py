"""Clocks and memory counters."""
