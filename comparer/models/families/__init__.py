"""Model families: ``base.FAMILIES`` lists them; one file per family builds its tiny pipeline."""
