"""Model families: ``base.FAMILIES`` names them; one file per family builds its tiny pipeline."""
