"""The right column: what a run gave."""
