"""The first lines of a text file as cells, for one separator or another."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

NEWLINE = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True)
class Lines:
    """Records of a text, blank ones left out.

    Attributes:
        records: the cells of each, without the quotes around them.
        spaced: whether a quoted cell stands after a separator and spaces.
        open: whether the text ends within quotes.
    """

    records: list[list[str]]
    spaced: bool
    open: bool


def split(text: str, separator: str, *, complete: bool, limit: int) -> Lines:
    """The first `limit` records; the last one only if the text is `complete` or it has ended.

    Quotes are those of RFC 4180: around a whole cell, doubled within; line ends are LF, CR LF or
    CR.

    >>> split('a;b\\n"x;""y";2\\n', ";", complete=True, limit=9).records
    [['a', 'b'], ['x;"y', '2']]
    """
    if not complete:
        text = text[: max(text.rfind("\n"), text.rfind("\r")) + 1]
    if '"' not in text:
        return Lines(_plain(text, separator, limit), False, False)
    records: list[list[str]] = []
    spaced = unclosed = False
    for cells, odd, ended in _quoted(text, separator):
        unclosed = not ended
        if not ended or len(records) == limit:
            break
        if cells != [""]:
            records.append(cells)
            spaced = spaced or odd
    return Lines(records, spaced, unclosed and complete)


def _plain(text: str, separator: str, limit: int) -> list[list[str]]:
    records: list[list[str]] = []
    for line in NEWLINE.split(text):
        if len(records) == limit:
            break
        if line:
            records.append(line.split(separator))
    return records


def _quoted(text: str, separator: str) -> Iterator[tuple[list[str], bool, bool]]:
    """Cells of a record, whether one was quoted after spaces, and whether its quotes closed."""
    end = re.escape(separator)
    blanks = "" if separator == " " else " *"
    cell = re.compile(
        rf'(?P<blanks>{blanks})"(?P<quoted>[^"]*(?:""[^"]*)*)"(?P<rest>[^{end}\r\n]*)'
        rf"|(?P<plain>[^{end}\r\n]*)"
    )
    place, cells, spaced = 0, list[str](), False
    while place < len(text):
        match = cell.match(text, place)
        assert match is not None  # `plain` matches anything
        place = match.end()
        if match["quoted"] is not None:
            cells.append(match["quoted"].replace('""', '"') + match["rest"].strip(" "))
            spaced = spaced or bool(match["blanks"])
        else:
            cells.append(match["plain"])
            if match["plain"].lstrip(" ").startswith('"'):
                yield cells, spaced, False
                return
        if place < len(text) and text[place] == separator:
            place += 1
            if place < len(text):
                continue
            cells.append("")
        newline = NEWLINE.match(text, place)
        place = newline.end() if newline else place
        yield cells, spaced, True
        cells, spaced = [], False
