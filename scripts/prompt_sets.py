"""Write the demo's prompt set: ``python scripts/prompt_sets.py``.

``assets/prompts/demo.csv`` names every pair of colour and shape twice, once small and once large; places and
backgrounds go round. Any eight prompts in a row have eight shapes and eight colours, so that the first N are a fair
sample, and the first 80 name every pair once. ``general.csv``, for real models, is written by hand, its eight
categories in turn.
"""

import csv
import io
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from comparer.demo.scenes import COLOURS, KINDS, PLACES, RADII, Scene, Shape, held_out  # noqa: E402

FILE = ROOT / "assets" / "prompts" / "demo.csv"


def scenes() -> list[Scene]:
    """List the scenes of the set, in its order."""
    colours, places, found = list(COLOURS), [*PLACES, None], []
    for turn in range(2 * len(colours)):
        for number, kind in enumerate(KINDS):
            row = (turn + number) % len(colours)
            colour, half = colours[row], number + turn % len(colours) // 2
            size = list(RADII)[(turn // len(colours) + half) % 2]
            others = [name for name in colours if name != colour]
            place = places[(number - turn) % len(places)]
            x, y = PLACES[place or "center"]
            shape = Shape(kind, colour, size, place, x, y, RADII[size])
            found.append(Scene((shape,), others[(3 * turn + 5 * number) % len(others)]))
    return found


def text() -> str:
    """Return the set as CSV: the prompt, whether its pair was in training, and its attributes."""
    written = io.StringIO()
    table = csv.writer(written, lineterminator="\n")
    table.writerow(["prompt", "pair", "colour", "kind", "size", "place", "background"])
    for scene in scenes():
        (shape,) = scene.shapes
        pair = "held out" if held_out(shape.colour, shape.kind) else "training"
        row = [pair, shape.colour, shape.kind, shape.size, shape.place or "", scene.background]
        table.writerow([scene.caption(), *row])
    return written.getvalue()


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
