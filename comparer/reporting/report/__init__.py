"""The report: ``report.save_report`` writes one HTML file that needs nothing else."""
