"""Evidence with a known truth: times and scores whose mean and spread are planted."""

import math

from comparer.stats.evidence import Evidence, TimedCall

WAVE = (-1.2, -0.8, -0.3, 0.0, 0.0, 0.3, 0.8, 1.2)  # mean 0
SCORE = 25.0  # of every image of the baseline


def wave(n):
    """Return n values with the mean 0."""
    values = [WAVE[i % 8] for i in range(n)]
    return [value - sum(values) / n for value in values]


def times(speed, noise=0.01, turns=8):
    """Return calls of one turn each, whose speed-ups have this geometric mean and this spread."""
    return [TimedCall([math.exp(noise * each)], [1 / speed]) for each in wave(turns)]


def scores(loss, spread=0.5, prompts=80):
    """Return one pair per prompt: the mean loss is a share, the spread in points."""
    return [(prompt, SCORE, SCORE * (1 - loss) + spread * each) for prompt, each in enumerate(wave(prompts))]


def evidence(speed=2.0, loss=0.0, noise=0.01, spread=0.5, turns=8, prompts=80, **more):
    """Return evidence of an arm with this speed-up and this loss."""
    return Evidence(times(speed, noise, turns), scores(loss, spread, prompts), **more)


def with_clear_losses(found, worse, better=0):
    """Move the first pairs by four points: down those that are to be worse, up the next ones."""
    moves = [-4.0] * worse + [4.0] * better
    pairs = [(prompt, base, base + move) for (prompt, base, _), move in zip(found, moves, strict=False)]
    return pairs + list(found[len(moves) :])
