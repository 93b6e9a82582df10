"""What a finished run is shown and exported as: grid, report, plots, tables, script, viewer."""
