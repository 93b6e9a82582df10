"""Scenes of the demo model: captioned images of shapes.

A scene is a list of shapes on a plain background. Version 1 uses one shape per scene; everything but
``random_scene`` already supports several. The words and the colours are exact, so that an image can be
judged by its pixels. This module does not import torch.
"""

import hashlib
import math
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image, ImageDraw

SIZE = 128  # pixels per side
COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (222, 36, 40),
    "orange": (247, 138, 24),
    "yellow": (252, 218, 40),
    "green": (36, 158, 70),
    "blue": (36, 92, 224),
    "purple": (126, 48, 178),
    "pink": (252, 152, 194),
    "black": (16, 16, 18),
    "white": (250, 250, 250),
    "gray": (130, 130, 134),
}
KINDS = ("circle", "square", "triangle", "star", "ring", "diamond", "hexagon", "cross")
RADII = {"small": 0.15, "large": 0.26}  # of the image's side
PLACES: dict[str, tuple[float, float]] = {
    "top left": (0.30, 0.30),
    "top right": (0.70, 0.30),
    "bottom left": (0.30, 0.70),
    "bottom right": (0.70, 0.70),
    "center": (0.50, 0.50),
}
WORDS = frozenset(
    ["a", "in", "the", "on", "background"]
    + list(COLOURS)
    + list(KINDS)
    + list(RADII)
    + [word for place in PLACES for word in place.split()]
)
EXAMPLES = (
    "a large red star in the top left on a blue background",
    "a small yellow circle in the center on a purple background",
    "a large green hexagon on a white background",
    "a large pink ring in the bottom right on a black background",
)


@dataclass(frozen=True)
class Shape:
    """One shape.

    ``place`` is None if the caption does not name it; ``x``, ``y`` and ``radius`` are fractions of the image's side.
    """

    kind: str
    colour: str
    size: str
    place: str | None
    x: float
    y: float
    radius: float

    def words(self) -> str:
        """Describe the shape as captions do: "a large red star in the top left"."""
        where = f" in the {self.place}" if self.place else ""
        return f"a {self.size} {self.colour} {self.kind}{where}"


@dataclass(frozen=True)
class Scene:
    """Shapes on a plain background."""

    shapes: tuple[Shape, ...]
    background: str

    def caption(self) -> str:
        """Return the scene's caption: the shapes, then the background."""
        return " and ".join(shape.words() for shape in self.shapes) + f" on a {self.background} background"

    def draw(self, size: int = SIZE, supersample: int = 4) -> Image.Image:
        """Render as RGB of size × size pixels, antialiased by averaging supersample² samples per pixel."""
        side = size * supersample
        picture = Image.new("RGB", (side, side), COLOURS[self.background])
        for shape in self.shapes:
            picture.paste(COLOURS[shape.colour], mask=mask(shape.kind, shape.x, shape.y, shape.radius, side))
        return picture.reduce(supersample)


def held_out(colour: str, kind: str) -> bool:
    """Return whether this pair is excluded from training: SHA-256 of "colour kind" divisible by 5."""
    return int(hashlib.sha256(f"{colour} {kind}".encode()).hexdigest(), 16) % 5 == 0


def unknown_words(prompt: str) -> list[str]:
    """Return the prompt's words that no training caption contains, in order and without duplicates."""
    words = (word.strip(".,;:!?\"'()").lower() for word in prompt.split())
    return list(dict.fromkeys(word for word in words if word and word not in WORDS))


def random_scene(rng: np.random.Generator, pairs: str = "train") -> Scene:
    """Sample a random scene.

    Args:
        rng: the only source of randomness.
        pairs: "train" excludes the held-out (colour, kind) pairs, "held-out" samples only those,
            "all" samples any.
    """
    allowed = PAIRS[pairs]
    colour, kind = allowed[rng.integers(len(allowed))]
    backgrounds = [name for name in COLOURS if name != colour]
    background = backgrounds[rng.integers(len(backgrounds))]
    size = list(RADII)[rng.integers(len(RADII))]
    place = list(PLACES)[rng.integers(len(PLACES))]
    x, y = PLACES[place]
    jitter_x, jitter_y, scale = rng.uniform(-0.03, 0.03), rng.uniform(-0.03, 0.03), rng.uniform(0.92, 1.08)
    named = place if rng.random() < 0.75 else None
    shape = Shape(kind, colour, size, named, x + jitter_x, y + jitter_y, RADII[size] * scale)
    return Scene((shape,), background)


def mask(kind: str, x: float, y: float, radius: float, side: int) -> Image.Image:
    """Render one shape as a black and white ("1") image of side × side pixels.

    All kinds are upright and fit the circle of this radius around (x, y), given as fractions of the side.
    """
    picture = Image.new("1", (side, side))
    pen = ImageDraw.Draw(picture)
    x, y, r = x * side, y * side, radius * side
    if kind in ("circle", "ring"):
        pen.ellipse((x - r, y - r, x + r, y + r), fill=1)
        if kind == "ring":
            hole = 0.55 * r
            pen.ellipse((x - hole, y - hole, x + hole, y + hole), fill=0)
    elif kind == "cross":
        arm = 0.32 * r
        pen.rectangle((x - arm, y - r, x + arm, y + r), fill=1)
        pen.rectangle((x - r, y - arm, x + r, y + arm), fill=1)
    else:
        pen.polygon([(x + r * px, y + r * py) for px, py in OUTLINES[kind]], fill=1)
    return picture


def _regular(corners: int, turn: float, *radii: float) -> list[tuple[float, float]]:
    """Corners of a polygon on circles of the given radii in turn, the first at ``turn`` degrees."""
    angles = (math.radians(turn + 360 * i / corners) for i in range(corners))
    return [
        (radii[i % len(radii)] * math.cos(angle), radii[i % len(radii)] * math.sin(angle))
        for i, angle in enumerate(angles)
    ]


OUTLINES: dict[str, list[tuple[float, float]]] = {
    "square": [(-0.8, -0.8), (0.8, -0.8), (0.8, 0.8), (-0.8, 0.8)],
    "triangle": [(0, -1), (0.95, 0.75), (-0.95, 0.75)],
    "star": _regular(10, -90, 1.0, 0.42),
    "diamond": [(0, -1), (0.72, 0), (0, 1), (-0.72, 0)],
    "hexagon": _regular(6, 0, 1.0),
}
PAIRS = {
    "all": [(colour, kind) for colour in COLOURS for kind in KINDS],
    "train": [(colour, kind) for colour in COLOURS for kind in KINDS if not held_out(colour, kind)],
    "held-out": [(colour, kind) for colour in COLOURS for kind in KINDS if held_out(colour, kind)],
}


def one_attribute_away(scene: Scene) -> list[Scene]:
    """List every one-shape scene whose caption differs from this one's in exactly one attribute."""
    (shape,) = scene.shapes
    shapes = [replace(shape, kind=kind) for kind in KINDS if kind != shape.kind]
    shapes += [replace(shape, colour=colour) for colour in COLOURS if colour not in (shape.colour, scene.background)]
    shapes += [
        replace(shape, size=size, radius=shape.radius * RADII[size] / RADII[shape.size])
        for size in RADII
        if size != shape.size
    ]
    if shape.place:
        old_x, old_y = PLACES[shape.place]
        shapes += [
            replace(shape, place=place, x=shape.x - old_x + x, y=shape.y - old_y + y)
            for place, (x, y) in PLACES.items()
            if place != shape.place
        ]
    backgrounds = [name for name in COLOURS if name not in (shape.colour, scene.background)]
    return [Scene((other,), scene.background) for other in shapes] + [
        Scene((shape,), background) for background in backgrounds
    ]
