"""One self-contained HTML page from a comparison."""

from postclick.report.page import report

__all__ = ["report"]
