"""What all commands share: errors as one line, progress, and printing for people or machines."""

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

import typer
from typer.core import TyperGroup

if TYPE_CHECKING:
    from postclick.progress import Reporter

BAD_INPUT = 2
# The base of all usage errors, wherever this version of typer has it.
_USAGE_ERROR: Any = next(c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException")


def fail(message: str) -> NoReturn:
    """Print one line to standard error and exit with code 2."""
    print(f"postclick: {message}", file=sys.stderr)
    sys.exit(BAD_INPUT)


class OneLineGroup(TyperGroup):
    """Commands whose usage errors, and missing extras, are one line as well, not a panel."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Run a command; in `standalone_mode` the process exits at its end."""
        more: dict[str, Any] = {
            "prog_name": prog_name,
            "complete_var": complete_var,
            "windows_expand_args": windows_expand_args,
            **extra,
        }
        from postclick.spelling import command_line

        given = sys.argv[1:] if args is None else list(args)
        # Without a command there is only the help, which is no error line.
        if not standalone_mode or not given:
            return super().main(given, standalone_mode=standalone_mode, **more)
        try:
            with command_line():
                code = super().main(given, standalone_mode=False, **more)
        except typer.Abort:
            sys.exit(1)
        except _USAGE_ERROR as error:
            context = getattr(error, "ctx", None)
            command = context.command_path if context else "postclick"
            text = " ".join(error.format_message().split())
            fail(f"{text}{_one_of(text)} (see '{command} --help')")
        except ModuleNotFoundError as error:
            from postclick.extras import mend_of

            if (mend := mend_of(error)) is None:
                raise
            fail(mend)
        sys.exit(code or 0)


def _one_of(text: str) -> str:
    """What the value in typer's "'dropp' is not one of 'error', 'drop'." was meant to be."""
    from postclick.suggest import meant

    given, found, choices = text.partition(" is not one of ")
    values = [part.strip(" .'") for part in choices.split(",")]
    return meant(given.rpartition(": ")[2].rpartition(", ")[2].strip("'"), values) if found else ""


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn `InputError`, a full disk and Ctrl-C into one line and an exit code."""
    from postclick.errors import InputError

    try:
        yield
    except InputError as error:
        fail(str(error))
    except OSError as error:
        # What the library can foresee it reports itself; this is a disk, a mount, a quota.
        where = f" ({error.filename})" if error.filename else ""
        fail(f"the system refused: {error.strerror or error}{where}")
    except KeyboardInterrupt:
        print("postclick: interrupted; run the same command again to resume", file=sys.stderr)
        sys.exit(130)


@contextmanager
def reporting(quiet: bool = False) -> Iterator["Reporter"]:
    """Bars on a terminal, plain lines elsewhere, nothing if `quiet`; always on standard error."""
    from rich.console import Console

    from postclick.progress import BarReporter, PlainReporter, Silent

    console = Console(stderr=True)
    if quiet:
        yield Silent()
    elif console.is_terminal:
        with BarReporter(console) as bars:
            yield bars
    else:
        yield PlainReporter()


def print_json(data: Any) -> None:
    """One JSON document on standard output."""
    print(json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False))


def print_bold(sentence: str) -> None:
    """What matters most, in bold where that shows; whole, on a line of its own."""
    from rich.console import Console

    Console().print(sentence, style="bold", highlight=False, soft_wrap=True, markup=False)


def print_tables(tables: list[Any], notes: list[str]) -> None:
    """Rich tables and notes on standard output; wide where it is not a terminal."""
    from rich.console import Console

    console = Console()
    if not console.is_terminal:
        console = Console(width=200)
    for table in tables:
        console.print(table)
    for note in notes:
        console.print(note, highlight=False, soft_wrap=True, markup=False)


def print_answer(text: str) -> None:
    """The sentence that all was for, in bold where there is a terminal; on one line elsewhere."""
    from rich.console import Console

    console = Console()
    console.print(
        text, style="bold", highlight=False, markup=False, soft_wrap=not console.is_terminal
    )
