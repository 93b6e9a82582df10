"""The command line: ``main.main`` parses the arguments; one file per command."""
