"""The comparison grid: ``draw.save_grid`` writes it as PNG pages."""
