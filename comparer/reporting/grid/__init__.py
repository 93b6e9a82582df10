"""The comparison grid: ``draw.save_grid`` saves it as PNG pages."""
