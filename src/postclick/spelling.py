"""What messages say: options as the caller gives them (typed or in Python), and counts."""

from collections.abc import Iterator
from contextlib import contextmanager

_TYPED = False


def typed() -> bool:
    """Whether messages are for someone who typed a command."""
    return _TYPED


def speak_to(command_line: bool) -> None:
    """Spell options for the command line, or for Python; for a worker process, as its parent."""
    global _TYPED
    _TYPED = command_line


@contextmanager
def command_line() -> Iterator[None]:
    """While this is open, options are spelled for the command line."""
    before = typed()
    speak_to(True)
    try:
        yield
    finally:
        speak_to(before)


def option(name: str, value: object = None) -> str:
    """An option, with a value if one is given.

    >>> option("on_bad_rows", "drop"), option("valid_fraction"), option("workers", 1)
    ('on_bad_rows="drop"', 'valid_fraction', 'workers=1')
    >>> with command_line():
    ...     option("on_bad_rows", "drop"), option("valid_fraction"), option("keep_best", True)
    ('--on-bad-rows drop', '--valid-fraction', '--keep-best')
    """
    if _TYPED:
        flag = "--" + name.replace("_", "-")
        return flag if value is None or value is True else f"{flag} {value}"
    if value is None:
        return name
    return f'{name}="{value}"' if isinstance(value, str) else f"{name}={value!r}"


def counted(count: int, what: str, many: str | None = None) -> str:
    """A number of things, one of which is not many.

    Args:
        many: what several are called, where an s behind `what` is not right.

    >>> counted(1, "row"), counted(1200, "row"), counted(0, "class", "classes")
    ('1 row', '1,200 rows', '0 classes')
    """
    return f"{count:,} {what if count == 1 else many or what + 's'}"
