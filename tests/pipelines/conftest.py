"""Checkpoint folders that hold a whole tiny pipeline, and the small checkpoint."""

from shutil import copytree, rmtree

import pytest

from comparer.config import Config
from comparer.models.catalog import DEMO
from comparer.models.tiny import save_tiny
from comparer.pipelines import loader
from helpers.small import save_small


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory):
    return save_small(tmp_path_factory.mktemp("checkpoints"))


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Checkpoint folders with a whole tiny pipeline, ``base``, and another one's weights, ``other``.

    Their tokenizer is the demo's: CLIP's vocabulary takes longer to read than all the weights.
    """
    root = tmp_path_factory.mktemp("home") / "m"
    for seed, name in enumerate(("base", "other"), 1):
        rmtree(save_tiny("sd1", root / name, seed) / "tokenizer")
        copytree(DEMO / "tokenizer", root / name / "tokenizer")
    return root


@pytest.fixture
def config(home, tmp_path):
    yield Config(checkpoints=(home,), runs=tmp_path / "runs")
    loader.free()
