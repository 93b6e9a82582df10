"""The left column: what is asked for."""
