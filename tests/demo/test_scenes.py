"""The demo's world: what is held out, what is written and what is drawn."""

import hashlib
import itertools
import math

import numpy as np
import pytest

from comparer.demo.scenes import (
    COLOURS,
    EXAMPLES,
    KINDS,
    PAIRS,
    PLACES,
    RADII,
    SIZE,
    WORDS,
    Scene,
    Shape,
    held_out,
    one_attribute_away,
    random_scene,
    unknown_words,
)

Attributes = tuple[str, str, str, str | None, str]


def attributes(scene: Scene) -> Attributes:
    shape = scene.shapes[0]
    return shape.kind, shape.colour, shape.size, shape.place, scene.background


def scene_of(kind: str, colour: str, size: str, place: str | None, background: str) -> Scene:
    x, y = PLACES[place or "center"]
    return Scene((Shape(kind, colour, size, place, x, y, RADII[size]),), background)


def test_held_out_is_the_sha256_rule() -> None:
    for colour, kind in itertools.product(COLOURS, KINDS):
        number = int.from_bytes(hashlib.sha256(f"{colour} {kind}".encode("ascii")).digest(), "big")
        assert held_out(colour, kind) == (number % 5 == 0), (colour, kind)
    assert sorted(PAIRS["train"] + PAIRS["held-out"]) == sorted(itertools.product(COLOURS, KINDS))
    assert len(PAIRS["held-out"]) >= 10


def test_every_colour_and_every_kind_is_trained() -> None:
    assert {colour for colour, _ in PAIRS["train"]} == set(COLOURS)
    assert {kind for _, kind in PAIRS["train"]} == set(KINDS)


def test_training_captions_hold_no_held_out_pair_and_only_known_words() -> None:
    rng = np.random.default_rng(0)
    captions = {random_scene(rng).caption() for _ in range(100_000)}
    forbidden = [f" {colour} {kind} " for colour, kind in PAIRS["held-out"]]
    assert not [caption for caption in captions if any(pair in caption for pair in forbidden)]
    assert {word for caption in captions for word in caption.split()} == WORDS


@pytest.mark.parametrize("pairs", ["all", "train", "held-out"])
def test_random_scenes_cover_their_pairs_and_contrast_with_their_background(pairs: str) -> None:
    rng = np.random.default_rng(1)
    scenes = [random_scene(rng, pairs) for _ in range(3000)]
    assert {(scene.shapes[0].colour, scene.shapes[0].kind) for scene in scenes} == set(PAIRS[pairs])
    assert all(scene.background != scene.shapes[0].colour for scene in scenes)


def test_the_same_seed_draws_the_same_pictures() -> None:
    first, again, other = (
        [random_scene(rng) for _ in range(20)] for rng in map(np.random.default_rng, ([5, 6], [5, 6], [5, 7]))
    )
    assert first == again != other
    assert [scene.draw().tobytes() for scene in first] == [scene.draw().tobytes() for scene in again]


@pytest.mark.parametrize("size", RADII)
@pytest.mark.parametrize(("colour", "background"), itertools.permutations(COLOURS, 2))
def test_colours_are_exact_in_the_shape_and_at_the_corners(colour: str, background: str, size: str) -> None:
    picture = scene_of("square", colour, size, "top right", background).draw()
    x, y = (round(SIZE * part) for part in PLACES["top right"])
    assert picture.size == (SIZE, SIZE) and picture.mode == "RGB"
    assert picture.getpixel((x, y)) == COLOURS[colour]
    corners = itertools.product((0, SIZE - 1), repeat=2)
    assert {picture.getpixel(corner) for corner in corners} == {COLOURS[background]}


def test_what_the_caption_says_is_where_and_how_large_the_shape_is() -> None:
    rng = np.random.default_rng(2)
    for scene in (random_scene(rng, "all") for _ in range(300)):
        shape = scene.shapes[0]
        nearest = min(PLACES, key=lambda place: math.dist(PLACES[place], (shape.x, shape.y)))
        assert shape.place in (None, nearest)
        assert shape.size == ("small" if shape.radius < 0.2 else "large")


def test_every_kind_is_drawn_differently() -> None:
    assert len({scene_of(kind, "red", "small", None, "white").draw().tobytes() for kind in KINDS}) == len(KINDS)


@pytest.mark.parametrize("place", [None, "top left", "center"])
def test_one_attribute_away_is_exact_and_complete(place: str | None) -> None:
    scene = scene_of("star", "blue", "small", place, "yellow")
    here = attributes(scene)
    places = PLACES if place else [None]
    possible = itertools.product(KINDS, COLOURS, RADII, places, COLOURS)
    expected = {
        other
        for other in possible
        if other[1] != other[4] and sum(a != b for a, b in zip(here, other, strict=True)) == 1
    }
    found = one_attribute_away(scene)
    assert len(found) == len(expected) == (28 if place else 24)
    assert {attributes(other) for other in found} == expected
    assert len({other.caption() for other in found} | {scene.caption()}) == len(found) + 1


def test_one_attribute_away_moves_only_what_it_renames() -> None:
    rng = np.random.default_rng(3)
    for scene in (random_scene(rng) for _ in range(50)):
        shape = scene.shapes[0]
        for other in one_attribute_away(scene):
            moved = other.shapes[0]
            assert ((moved.x, moved.y) != (shape.x, shape.y)) == (moved.place != shape.place)
            assert (moved.radius != shape.radius) == (moved.size != shape.size)


def test_unknown_words_are_listed_once_and_in_order() -> None:
    prompt = 'A large RED dragon, on a "foggy" background: dragon!'
    assert unknown_words(prompt) == ["dragon", "foggy"]
    assert unknown_words("") == []
    assert [unknown_words(example) for example in EXAMPLES] == [[]] * len(EXAMPLES)
