"""The command line: ``main.main`` parses it; one file per command."""
