"""Run execution: ``compare.compare`` runs a request and yields events; ``runner`` executes a run call by call."""
