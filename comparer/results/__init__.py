"""Results: ``comparison.Comparison`` is the record of a run; figures, notes and orders are computed from it."""
