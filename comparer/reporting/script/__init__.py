"""The script: ``script.script`` exports a pair as a plain diffusers script."""
