"""Where the files are that come with the program."""

from pathlib import Path

ASSETS = Path(__file__).resolve().parents[1] / "assets"
