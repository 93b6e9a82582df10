"""The two kinds of failure: what a person can mend, told in one sentence; and everything else, a bug."""


class ComparerError(Exception):
    """Something a person can mend. The message is one sentence, shown as it is on the page, in the API and on
    the command line (exit code 2).
    """


class Incomplete(ComparerError):
    """Weights lack tensors of their module, or have them in another shape."""


class Refused(ComparerError):
    """A file was not read because reading it could run code."""


class Stopped(Exception):
    """Someone pressed Stop. Raised inside a pipeline call; never shown."""
