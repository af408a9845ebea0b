"""What a text file looks like: told by settings, or from its first lines."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from postclick.data.read.files.text.text_cells import NEWLINE, Lines, split
from postclick.data.read.places.listing import Place
from postclick.data.schema.reading import ReadSettings, SchemaReading
from postclick.errors import InputError

# Tried where none is told; what stands first is taken where two fit equally.
SEPARATORS = (",", "\t", ";", "|", "\x01")
SPELLED = {"\t": "tab", "\x01": "\\x01", " ": "space"}
RECORDS = 100
# Excel writes such a line so as to tell itself the separator.
EXCEL = re.compile(r"sep=(.)(?=\r|\n)", re.IGNORECASE)

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?")
THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}")
DATE = re.compile(r"\d{4}-\d\d-\d\d([T ].*)?")
TRUTH = re.compile(r"true|false", re.IGNORECASE)
EMPTY = ("", "null", "nan", "na", "n/a", "none", "\\n", "-", "?", "(null)", "nil", "#n/a", "<na>")


@dataclass(frozen=True)
class TextFormat:
    """How a file of separated values is written.

    Attributes:
        separator: between columns.
        names: of the columns.
        header: whether a line holds them.
        skip: lines before the first that counts.
        decimal: told, or seen in the first lines; None where they do not say.
        spaced: whether a quoted cell stands after a separator and spaces.
        seen: what was told from the lines and is no plain CSV, for a reader.
    """

    separator: str
    names: tuple[str, ...]
    header: bool
    skip: int
    decimal: str | None
    spaced: bool
    seen: tuple[str, ...]


def sniff(path: Place, head: str, complete: bool, read: ReadSettings) -> TextFormat | None:
    """The format of a file that begins with `head`; None if no whole record stands in it.

    Raises:
        InputError: it is empty, has no header, or a setting does not fit.
    """
    text, skip = _without_blank_lines(head.removeprefix("\ufeff"))
    excel = EXCEL.match(text)
    if excel is not None:
        text, more = _without_blank_lines(text[excel.end() :])
        skip += more  # the rest of its own line is one of them
    if not text.strip("\r\n"):
        if not complete:
            return None
        raise InputError(f"{path} is empty: expected a header line and rows")
    usual = "\t" if ".tsv" in path.name.lower() or ".tab" in path.name.lower() else ","
    told = read.separator or (excel[1] if excel is not None else None)
    separator = told or _separator(text, complete, usual)
    lines = split(text, separator, complete=complete, limit=RECORDS)
    if not lines.records:
        if lines.open:
            raise InputError(
                f"{path}: a quote opens in its first line and never closes: mend the line"
            )
        return None
    names, header = _names(path, lines, separator, read)
    rows = lines.records[header:]
    lists = read.lists if isinstance(read, SchemaReading) else ()
    decimal = read.decimal or _decimal(_without(lists, names, rows), separator)
    seen = []
    if read.separator is None and separator != usual:
        seen.append(f"separator {spelled(separator)}")
    if read.decimal is None and decimal == ",":
        seen.append("decimal ','")
    return TextFormat(separator, names, header, skip, decimal, lines.spaced, tuple(seen))


def spelled(separator: str) -> str:
    """A separator as a message shows it and a setting takes it."""
    return SPELLED.get(separator, repr(separator))


def _without_blank_lines(text: str) -> tuple[str, int]:
    count = 0
    while newline := NEWLINE.match(text):
        text, count = text[newline.end() :], count + 1
    return text, count


def _separator(text: str, complete: bool, usual: str) -> str:
    """The candidate that cuts all first lines into equally many cells."""
    first = NEWLINE.split(text, 1)[0]
    candidates = [usual, *(s for s in SEPARATORS if s != usual)]
    fits: dict[str, Lines] = {}
    for candidate in candidates:
        if candidate in first:
            lines = split(text, candidate, complete=complete, limit=RECORDS)
            widths = {len(cells) for cells in lines.records}
            if len(widths) == 1 and widths != {1}:
                fits[candidate] = lines
    if not fits:
        # Ragged lines, or one column: the usual one, else what the first line has most of.
        return usual if usual in first else max(candidates, key=first.count)
    if len(fits) == 1:
        return next(iter(fits))
    clean = [s for s in fits if not any(o in c for o in fits if o != s for c in _first(fits[s]))]
    if len(clean) == 1:
        return clean[0]
    if fits.keys() >= {",", ";"} and _decimal(fits[";"].records, ";") == ",":
        return ";"
    return next((s for s in ("\x01", "\t") if s in fits), next(iter(fits)))


def _first(lines: Lines) -> list[str]:
    return lines.records[0]


def _names(
    path: Place, lines: Lines, separator: str, read: ReadSettings
) -> tuple[tuple[str, ...], bool]:
    """The names of the columns, and whether the first line holds them."""
    first = [cell.strip() for cell in lines.records[0]]
    if isinstance(read.header, tuple):
        if tuple(first) == read.header:
            raise InputError(
                f"{path}: its first line is the header that read.header gives: "
                "set read: {header: true}"
            )
        if len(read.header) != len(first):
            raise InputError(
                f"{path}: read.header names {len(read.header)} columns, its first line has "
                f"{len(first)} with separator {spelled(separator)}: name each, or set separator"
            )
        return read.header, False
    if read.header is False:
        return tuple(f"column_{k}" for k in range(1, len(first) + 1)), False
    if read.header is None and _is_data(lines.records):
        if len(first) == 1 and "::" in first[0]:
            raise InputError(
                f"{path}: '::' separates its columns: a separator is one character, "
                f"such as after sed 's/::/;/g' {path.name} > mended.csv"
            )
        shown = ", ".join(first[:3]) + (", ..." if len(first) > 3 else "")
        raise InputError(
            f"{path} has no header: its first line ({shown}) is like those below: name the "
            f"{len(first)} columns with read: {{header: [a, b, ...]}} in the schema or "
            "--read header=a,b,..., or call them column_1, column_2, ... with header=false; "
            "if it is the header, set header=true"
        )
    twice = next((name for name in first if first.count(name) > 1), None)
    if twice is not None:
        raise InputError(
            f"{path}: column {twice!r} stands twice in the header: rename one, or name the columns "
            "yourself with read: {header: [a, b, ...]}"
        )
    return tuple(first), True


def _kind(cell: str) -> str:
    text = cell.strip()
    if text.lower() in EMPTY:
        return "empty"
    kinds = {"number": NUMBER, "date": DATE, "truth": TRUTH, "number,": DECIMAL_COMMA}
    kind = next((name for name, pattern in kinds.items() if pattern.fullmatch(text)), "text")
    return kind.rstrip(",")


def _is_data(records: Sequence[Sequence[str]]) -> bool:
    """Whether the first record is like those below it, and not their header.

    It is a header if a cell of it is text above numbers, dates or truth values; else it is data
    if a cell of it is of their kind, or each of its texts stands again below.
    """
    first, rows = records[0], records[1:]
    if len(first) == 1 and "::" in first[0]:
        return _is_data([record[0].split("::") for record in records])
    kinds = [_kind(cell) for cell in first]
    if not rows:
        return "text" not in kinds and "number" in kinds
    alike = 0
    for place, kind in enumerate(kinds):
        below = {_kind(row[place]) for row in rows if len(row) > place} - {"empty"}
        if kind == "text" and len(below) == 1 and "text" not in below:
            return False
        alike += kind not in ("text", "empty") and below == {kind}
    if alike:
        return True
    again = [
        cell in {row[place] for row in rows if len(row) > place} for place, cell in enumerate(first)
    ]
    return len(first) > 1 and all(again)


def _without(
    lists: Collection[str], names: Sequence[str], rows: Sequence[Sequence[str]]
) -> Sequence[Sequence[str]]:
    """The rows without the columns of lists."""
    kept = [place for place, name in enumerate(names) if name not in lists]
    if len(kept) == len(names):
        return rows
    return [[row[place] for place in kept if place < len(row)] for row in rows]


def _decimal(rows: Sequence[Sequence[str]], separator: str) -> str | None:
    """What separates decimals in columns of numbers; None where none has any, or they differ.

    `1,234` may be a thousand and more, so that it alone is no evidence.
    """
    comma = point = False
    for column in zip(*rows, strict=False):
        cells = [cell.strip() for cell in column]
        cells = [cell for cell in cells if cell.lower() not in EMPTY]
        if all(NUMBER.fullmatch(cell) for cell in cells):
            point = point or any("." in cell for cell in cells)
        elif all(NUMBER.fullmatch(cell) or DECIMAL_COMMA.fullmatch(cell) for cell in cells):
            commas = [cell for cell in cells if "," in cell]
            comma = comma or not all(THOUSANDS.fullmatch(cell) for cell in commas)
            point = point or any("." in cell for cell in cells)
    comma = comma and separator != ","
    return None if comma == point else "," if comma else "."
