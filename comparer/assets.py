"""Path of the files that ship with the program."""

from pathlib import Path

ASSETS = Path(__file__).resolve().parents[1] / "assets"
