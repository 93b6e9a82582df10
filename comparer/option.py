"""One choice of the installation: its flag, its variable, how it is read and shown."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from comparer.errors import ComparerError


@dataclass(frozen=True)
class Option:
    """One choice of the installation.

    Attributes:
        name: the flag without its dashes; its variable is ``COMPARER_`` and the name in capitals.
        read: turns the text into the value; a ValueError's message says what the text is not.
        default: as people read it.
        help: one line.
        metavar: what the flag takes; the choices by themselves where there are some.
        choices: everything that is allowed, where that is a list.
        split: separates several values in the variable; the flag is then given more than once.
        also: another variable that means the same.
        serving: only the page has it.
    """

    name: str
    read: Callable[[str], Any]
    default: str
    help: str
    metavar: str = ""
    choices: tuple[str, ...] = ()
    split: str = ""
    also: str = ""
    serving: bool = False

    @property
    def flag(self) -> str:
        """Return the flag: ``--max-size``."""
        return f"--{self.name}"

    @property
    def variable(self) -> str:
        """Return its variable: ``COMPARER_MAX_SIZE``."""
        return f"COMPARER_{self.key.upper()}"

    @property
    def key(self) -> str:
        """Return its name in Python: ``max_size``."""
        return self.name.replace("-", "_")

    @property
    def takes(self) -> str:
        """Return what the flag takes, as ``--help`` and the README write it."""
        return self.metavar or "|".join(self.choices)

    def value(self, text: str, source: str) -> Any:
        """Read one text that came from the flag or the variable ``source``."""
        if self.choices and text not in self.choices:
            raise ComparerError(f"{source} '{text}' is not a choice: choose one of {', '.join(self.choices)}.")
        try:
            return self.read(text)
        except ValueError as error:
            raise ComparerError(f"{source} {error}.") from None
