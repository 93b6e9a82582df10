"""Finished runs of a small checkpoint. They are read by many tests: who writes copies one (``small.kept``)."""

import pytest

from helpers import small
from helpers.runs import finish

ARM = "DeepCache(interval=2)"


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory):
    return small.save_small(tmp_path_factory.mktemp("checkpoints"))


@pytest.fixture
def config(checkpoints, tmp_path):
    return small.installed(checkpoints, tmp_path / "runs")


@pytest.fixture(scope="session")
def shared(checkpoints, tmp_path_factory):
    """Return a function that makes a run of these seeds, once a session."""
    config, made = small.installed(checkpoints, tmp_path_factory.mktemp("shared")), {}

    def run(*seeds):
        if seeds not in made:
            made[seeds] = finish(small.ask(ARM, seeds=seeds), config)
        return made[seeds]

    return run
