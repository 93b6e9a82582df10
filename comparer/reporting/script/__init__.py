"""The script: ``script.script`` writes a run as a plain diffusers script."""
