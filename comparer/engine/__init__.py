"""Making a run: ``compare.compare`` runs a request and yields events; ``runner`` executes it call by call."""
