"""HTML of a run, for the page and the report: tables, verdict cards, details."""
