"""Packages that only some commands need."""

from importlib.util import find_spec

from postclick.errors import InputError

# What the extra `train` installs beyond what scoring and serving need, as modules.
TRAINING = ("torch", "numba", "scipy", "sklearn", "safetensors", "plotly")


def is_installed(package: str) -> bool:
    """Whether a package can be imported.

    >>> is_installed("json"), is_installed("postclick_nowhere")
    (True, False)
    """
    return find_spec(package) is not None


def require(package: str, extra: str, what: str) -> None:
    """Refuse early, in one line, what needs a package that is not installed.

    Raises:
        InputError: `package` is missing; `extra` is what to install.

    >>> require("postclick_nowhere", "tune", "tuning")
    Traceback (most recent call last):
    ...
    postclick.errors.InputError: tuning needs postclick_nowhere: pip install 'postclick[tune]'
    """
    if not is_installed(package):
        raise InputError(f"{what} needs {package}: pip install 'postclick[{extra}]'")


def mend_of(error: ModuleNotFoundError) -> str | None:
    """What to install where an import of a training package failed; None for any other.

    >>> mend_of(ModuleNotFoundError(name="torch.nn"))
    "this needs torch, which is not installed: pip install 'postclick[train]'"
    """
    root = (error.name or "").partition(".")[0]
    if root not in TRAINING:
        return None
    return f"this needs {root}, which is not installed: pip install 'postclick[train]'"
