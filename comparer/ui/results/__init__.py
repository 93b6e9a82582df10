"""The right column: results of a run."""
