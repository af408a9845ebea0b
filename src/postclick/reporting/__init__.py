"""One self-contained HTML page from a comparison."""

from postclick.reporting.page import report

__all__ = ["report"]
