"""Judge a picture of one shape by its pixels: no network, so that none is asked about itself.

Only colours and geometry of ``scenes`` are used. The judge reads background, colour and kind; size and place
are not judged.
"""

import itertools
from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import Image, ImageFilter

from comparer.demo.scenes import COLOURS, KINDS, SIZE, mask

BORDER = 5  # pixels at each side; a large shape may reach in, which the median ignores
CORE = 120  # pixels: about a third of the smallest shape, a star
FAINT = 30.0  # RGB distance; the two nearest colours, orange and yellow, are 82 apart
POOR = 0.65  # overlap below which a patch is of no kind: wobbly shapes reach 0.74, nine random blobs in ten do not
UNIT = 256  # pixels a side where a template of radius 0.4 is measured
NAMES = tuple(COLOURS)
PALETTE = np.array([COLOURS[name] for name in NAMES], dtype=np.float32)


@dataclass(frozen=True)
class SceneVerdict:
    """What a picture shows. ``colour`` is None where nothing stands out from the background, ``kind`` where
    what stands out resembles no kind (overlap below 0.65 with the best template).
    """

    background: str
    colour: str | None
    kind: str | None


def judge(picture: Image.Image) -> SceneVerdict:
    """Read background, colour and kind of a one-shape scene from its pixels.

    Args:
        picture: 128 × 128 pixels, read as RGB; drawn by ``Scene.draw`` or made by the demo model.

    Raises:
        ValueError: the picture has another size.
    """
    if picture.size != (SIZE, SIZE):
        raise ValueError(f"the picture is {picture.width}×{picture.height}: the judge reads {SIZE}×{SIZE}")
    picture = picture.convert("RGB")
    pixels = np.asarray(picture.filter(ImageFilter.BoxBlur(1)), dtype=np.float32)
    border = np.ones((SIZE, SIZE), dtype=bool)
    border[BORDER:-BORDER, BORDER:-BORDER] = False
    ground = np.median(pixels[border], axis=0)
    background = int(_nearest(ground[None])[0])

    distance = np.linalg.norm(pixels - ground, axis=-1)
    # The pixels farthest from the background are the shape's own: blends at its edge lie nearer, and are left out.
    far = float(np.partition(distance, -CORE, axis=None)[-CORE])
    if far < FAINT:
        return SceneVerdict(NAMES[background], None, None)
    core = pixels[distance > 0.8 * far]
    classes = _nearest(core)
    votes = np.bincount(classes, minlength=len(NAMES))
    votes[background] = 0
    colour = int(votes.argmax())
    if not votes[colour]:
        return SceneVerdict(NAMES[background], None, None)
    paint = np.median(core[classes == colour], axis=0)
    # Unsmoothed for the outline: smoothing would take the points off a small star.
    sharp = np.asarray(picture, dtype=np.float32)
    nearer = np.linalg.norm(sharp - paint, axis=-1) < np.linalg.norm(sharp - ground, axis=-1)
    return SceneVerdict(NAMES[background], NAMES[colour], _kind(nearer))


def _nearest(pixels: np.ndarray) -> np.ndarray:
    """Return each pixel's nearest palette colour as an index: n × 3 -> n."""
    return np.linalg.norm(pixels[:, None] - PALETTE, axis=-1).argmin(axis=1)


def overlaps(shape: np.ndarray) -> dict[str, float]:
    """Return each kind's best overlap (intersection over union, 0..1) with a boolean 128 × 128 mask.

    Each template starts where its area and centroid are the mask's, and climbs from there in position and radius.
    """
    return {kind: _climb(shape, kind) for kind in KINDS}


def _kind(shape: np.ndarray) -> str | None:
    found = overlaps(shape)
    best = max(found, key=lambda kind: found[kind])
    return best if found[best] >= POOR else None


def _moments(shape: np.ndarray) -> tuple[float, float, float]:
    """Return area, and centroid x and y, in pixels."""
    rows, columns = np.nonzero(shape)
    return float(len(rows)), columns.mean() + 0.5, rows.mean() + 0.5


@cache
def _unit(kind: str) -> tuple[float, float, float]:
    """Return a kind's area, and centroid x and y, at radius 1 around (0, 0)."""
    area, x, y = _moments(np.asarray(mask(kind, 0.5, 0.5, 0.4, UNIT)))
    radius = 0.4 * UNIT
    return area / radius**2, (x - UNIT / 2) / radius, (y - UNIT / 2) / radius


def _climb(shape: np.ndarray, kind: str) -> float:
    """Return the best overlap of a kind's template, in steps of 1, then 0.5 pixels."""
    area, x, y = _moments(shape)
    unit, unit_x, unit_y = _unit(kind)
    radius = (area / unit) ** 0.5
    at = (x - radius * unit_x, y - radius * unit_y, radius)
    best = _overlap(shape, kind, *at)
    for step in (1.0, 0.5):
        while True:
            tries = [
                tuple(value + step * sign * (i == axis) for i, value in enumerate(at))
                for axis, sign in itertools.product(range(3), (-1, 1))
            ]
            scores = [_overlap(shape, kind, *place) for place in tries]
            if max(scores) <= best:
                break
            best = max(scores)
            at = tries[scores.index(best)]
    return best


def _overlap(shape: np.ndarray, kind: str, x: float, y: float, radius: float) -> float:
    template = np.asarray(mask(kind, x / SIZE, y / SIZE, radius / SIZE, SIZE))
    return float((shape & template).sum() / (shape | template).sum())
