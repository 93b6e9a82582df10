"""Display and export of finished runs: grid, report, plots, tables, script, viewer."""
