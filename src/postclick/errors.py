"""The one exception a user of postclick has to know."""


class InputError(ValueError):
    """Something the user gave is wrong: one line that says what, where, and the mend.

    The command line prints the message alone and exits with code 2; everything else that
    escapes is a defect of postclick and keeps its traceback.

    >>> raise InputError("column 'clicked' is not in log.csv; it has: click, conversion")
    Traceback (most recent call last):
    ...
    postclick.errors.InputError: column 'clicked' is not in log.csv; it has: click, conversion
    """

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))


class RunFailedError(InputError):
    """A training run cannot go on with its settings, and resuming it would not help.

    >>> issubclass(RunFailedError, InputError)
    True
    """


class RunStoppedError(RunFailedError):
    """A training run was ended on purpose: it is no failure of its settings.

    >>> issubclass(RunStoppedError, RunFailedError)
    True
    """
