"""The command line: one thin command per public function."""

from typing import Any

from postclick.cli.shared import app

# Importing a module adds its commands, and `postclick --help` lists them in this order.
# isort: off
from postclick.cli import judge  # noqa: F401
from postclick.cli import data  # noqa: F401
from postclick.cli import runs  # noqa: F401
from postclick.cli import explain  # noqa: F401
from postclick.cli import calibration  # noqa: F401
from postclick.cli import distillation  # noqa: F401
from postclick.cli import sensitivity  # noqa: F401
from postclick.cli import experiments  # noqa: F401
from postclick.cli import serving  # noqa: F401
from postclick.cli import server  # noqa: F401
# isort: on

__all__ = ["app", "main"]


def main() -> Any:
    """Entry point of the `postclick` command."""
    return app()
