"""What a process has imported that others are forked from; see ``helpers.forked``."""

import os
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[2])]
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")

from comparer.models.libraries import prepare  # noqa: E402

prepare()

import comparer.cli.main  # noqa: E402, F401
import comparer.engine.compare  # noqa: E402, F401
import comparer.ui.api  # noqa: E402, F401
import comparer.ui.serve  # noqa: E402, F401
