"""Packages that only some commands need."""

from importlib.util import find_spec

from postclick.errors import InputError


def require(package: str, extra: str, what: str) -> None:
    """Refuse early, in one line, what needs a package that is not installed.

    Raises:
        InputError: `package` is missing; `extra` is what to install.

    >>> require("postclick_nowhere", "tune", "tuning")
    Traceback (most recent call last):
    ...
    postclick.errors.InputError: tuning needs postclick_nowhere: pip install 'postclick[tune]'
    """
    if find_spec(package) is None:
        raise InputError(f"{what} needs {package}: pip install 'postclick[{extra}]'")
