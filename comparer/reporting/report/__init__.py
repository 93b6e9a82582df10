"""The report: ``report.save_report`` saves one self-contained HTML file."""
