"""Prompt sets that come along: find one by name or for a checkpoint, and read its prompts. No torch."""

from dataclasses import dataclass
from pathlib import Path

from comparer.assets import ASSETS
from comparer.checkpoints.find import resolve
from comparer.checkpoints.spec import Weights
from comparer.checkpoints.spec import parse as parse_weights
from comparer.config import Config
from comparer.errors import ComparerError
from comparer.request.prompt_files import HELP as FILE_HELP
from comparer.request.prompt_files import read_prompt_file
from comparer.text import quote

FAIR_TEST = 80
"""Number of prompts of a fair test, with one seed each: the first of a set, which are balanced."""


@dataclass(frozen=True)
class PromptSet:
    """A file of ``assets/prompts``, ordered so that its first prompts are a balanced sample of it.

    Attributes:
        name: the name on the command line, and the file's without its ending.
    """

    name: str

    @property
    def file(self) -> Path:
        """Return the CSV with the prompts and what each is an example of."""
        return ASSETS / "prompts" / f"{self.name}.csv"

    def prompts(self) -> tuple[str, ...]:
        """Read all prompts, in the set's order."""
        return read_prompt_file(self.file).prompts

    def fair_test(self) -> tuple[str, ...]:
        """Read the first ``FAIR_TEST`` prompts."""
        return self.prompts()[:FAIR_TEST]


DEMO, GENERAL = PromptSet("demo"), PromptSet("general")
SETS = {each.name: each for each in (DEMO, GENERAL)}
HELP = f"{' or '.join(SETS)}, a set that comes along: its first {FAIR_TEST} prompts; or a file: {FILE_HELP}"


def for_checkpoint(asked: str | Weights, config: Config) -> PromptSet:
    """Return the demo's set for a checkpoint that reads the demo's words only, else the general one.

    A checkpoint that cannot be read, such as a model that is not downloaded yet, is judged by its name and its base.

    Args:
        asked: the checkpoint as text, as ``spec.parse`` reads it, or its weights.
        config: folders.

    Raises:
        ComparerError: the text is not a checkpoint's.
    """
    weights = parse_weights(asked) if isinstance(asked, str) else asked
    try:
        demo = resolve(weights, config).demo
    except ComparerError:
        demo = "demo" in (weights.checkpoint, weights.base)
    return DEMO if demo else GENERAL


def find(text: str) -> PromptSet | Path:
    """Return the set of this name, else the path of a file.

    A set comes before a file of the same name, which ``./demo`` means.

    Raises:
        ComparerError: the text has neither a folder nor an ending, and is neither a set nor a file.
    """
    if text in SETS:
        return SETS[text]
    path = Path(text)
    try:
        exists = path.exists()
    except OSError:  # a prompt in the place of a name may be longer than a file's name can be
        exists = False
    if text == path.name and not path.suffix and not exists:
        raise ComparerError(f"There is no prompt set or file '{quote(text)}': the sets are {' and '.join(SETS)}.")
    return path
