"""The judge against pictures whose content is known."""

import itertools
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from comparer.demo.judge import SceneVerdict, judge
from comparer.demo.scenes import COLOURS, KINDS, RADII, SIZE, Scene, Shape, one_attribute_away, random_scene


def small(kind: str, colour: str, background: str) -> Scene:
    return Scene((Shape(kind, colour, "small", None, 0.5, 0.5, RADII["small"]),), background)


def truth(scene: Scene) -> SceneVerdict:
    return SceneVerdict(scene.background, scene.shapes[0].colour, scene.shapes[0].kind)


def blurred(picture: Image.Image) -> Image.Image:
    """Blur and add noise, as a small diffusion model might."""
    soft = np.asarray(picture.filter(ImageFilter.GaussianBlur(1.5)), dtype=float)
    noisy = soft + np.random.default_rng(4).normal(0, 8, soft.shape)
    return Image.fromarray(noisy.clip(0, 255).round().astype(np.uint8))


def unchanged(picture: Image.Image) -> Image.Image:
    return picture


@pytest.mark.parametrize(("spoil", "least"), [(unchanged, 0.98), (blurred, 0.95)])
def test_accuracy(spoil: Callable[[Image.Image], Image.Image], least: float) -> None:
    rng = np.random.default_rng(11)
    scenes = [random_scene(rng, "all") for _ in range(100)]
    seen = [judge(spoil(scene.draw())) for scene in scenes]
    for part in ("background", "colour", "kind"):
        right = [
            getattr(verdict, part) == getattr(truth(scene), part) for verdict, scene in zip(seen, scenes, strict=True)
        ]
        assert sum(right) / len(right) >= least, part


@pytest.mark.parametrize(
    "background", [pytest.param(c, marks=pytest.mark.full if n % 2 else ()) for n, c in enumerate(COLOURS)]
)
def test_blends_at_the_edge_are_not_taken_for_a_third_colour(background: str) -> None:
    for colour, kind in itertools.product(COLOURS, ("star", "ring")):
        if colour != background:
            scene = small(kind, colour, background)
            assert judge(blurred(scene.draw())) == truth(scene)


def test_a_picture_of_another_scene_is_not_taken_for_this_one() -> None:
    scene = small("hexagon", "blue", "white")
    others = [other for other in one_attribute_away(scene) if truth(other) != truth(scene)]
    assert len(others) == len(KINDS) - 1 + 2 * (len(COLOURS) - 2)
    for other in others:
        assert judge(other.draw()) == truth(other)


@pytest.mark.parametrize("colour", COLOURS)
def test_an_empty_picture_has_no_colour_and_no_kind(colour: str) -> None:
    plain = Image.new("RGB", (SIZE, SIZE), COLOURS[colour])
    assert judge(plain) == judge(blurred(plain)) == SceneVerdict(colour, None, None)


def test_what_resembles_no_kind_has_none() -> None:
    picture = Image.new("RGB", (SIZE, SIZE), COLOURS["white"])
    pen = ImageDraw.Draw(picture)
    for x in (20, 90):
        pen.rectangle((x, 15, x + 12, 110), fill=COLOURS["red"])
    assert judge(picture) == SceneVerdict("white", "red", None)


def test_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="64×128"):
        judge(Image.new("RGB", (64, 128)))
