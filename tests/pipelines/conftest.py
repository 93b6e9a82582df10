"""Checkpoint folders that hold a whole tiny pipeline, and the small checkpoint."""

import pytest

from comparer.config import Config
from comparer.models.tiny import save_tiny
from comparer.pipelines import loader
from helpers.small import save_small


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory):
    return save_small(tmp_path_factory.mktemp("checkpoints"))


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Checkpoint folders with a whole tiny pipeline, ``base``, and another one's weights, ``other``."""
    root = tmp_path_factory.mktemp("home") / "m"
    save_tiny("sd1", root / "base", seed=1)
    save_tiny("sd1", root / "other", seed=2)
    return root


@pytest.fixture
def config(home, tmp_path):
    yield Config(checkpoints=(home,), runs=tmp_path / "runs")
    loader.free()
