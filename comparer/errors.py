"""Exceptions: errors that the user can fix, reported in one sentence. Any other exception is a bug."""


class ComparerError(Exception):
    """An error that the user can fix.

    The message is one sentence, shown unchanged on the page, in the API and on the command line (exit code 2).
    """


class Incomplete(ComparerError):
    """Weights lack tensors of their module, or have them in another shape."""


class Foreign(ComparerError):
    """Weights are of another kind than what they were to be loaded as."""


class Refused(ComparerError):
    """A file was not read because reading it could run code."""


class Stopped(Exception):
    """The user pressed Stop. Raised inside a pipeline call; never shown."""
