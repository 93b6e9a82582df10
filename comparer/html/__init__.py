"""Pieces of HTML that the page and the report share: cards, tables, plots. No gradio, no torch."""
