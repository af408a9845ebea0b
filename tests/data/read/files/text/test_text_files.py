"""Text in any layout is the same log, whatever tells the layout: lines, suffix or settings."""

import csv
import io
import itertools
import random
from pathlib import Path

import polars as pl
import pytest

from helpers.packing import packed
from postclick.data.read.files.text import csv_lines, csv_source
from postclick.data.read.opening import LogSource, open_log
from postclick.data.schema import LogSchema, ReadSettings

ROWS = pl.DataFrame(
    {
        "click": ["1", "0", "1"],
        "user": ["ä", "b c", None],
        "price": ["12.5", "3", "0.25"],
        "text": ['say "no"', "a,b;c|d\te", "two\nlines"],
    }
)
SEPARATORS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|", "hive": "\x01"}


def read(source: LogSource, columns: list[str] | None = None) -> pl.DataFrame:
    empty = pl.DataFrame(schema=dict.fromkeys(columns or source.columns, pl.String))
    return pl.concat([empty, *source.frames(columns or source.columns)])


def text_of(frame: pl.DataFrame, separator: str, header: bool = True, end: str = "\n") -> str:
    """The frame by Python's own writer."""
    out = io.StringIO()
    writer = csv.writer(out, delimiter=separator, lineterminator=end)
    writer.writerows([frame.columns] if header else [])
    writer.writerows(frame.rows())
    return out.getvalue()


@pytest.mark.parametrize("packing", ["", ".gz", ".zst", ".bz2", ".lz4"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
@pytest.mark.parametrize("separator", SEPARATORS.values(), ids=SEPARATORS)
def test_layouts_are_the_same_log(
    tmp_path: Path, separator: str, encoding: str, packing: str
) -> None:
    frame = ROWS.with_columns(pl.col("text").str.replace_all("\x01", ""))
    cases = itertools.product((True, False), (".csv", ".CSV", ".txt", ".tsv", ""), ("\n", "\r\n"))
    for number, (header, suffix, end) in enumerate(cases):
        path = tmp_path / f"{number}{suffix}{packing.upper() if suffix.isupper() else packing}"
        path.write_bytes(packed(text_of(frame, separator, header, end).encode(encoding), packing))
        settings = ReadSettings(
            header=None if header else tuple(frame.columns),
            encoding="latin-1" if encoding == "latin-1" else None,
        )
        source = open_log(path, read=settings)
        assert source.columns == tuple(frame.columns)
        assert read(source).equals(frame), (header, suffix, end)
        assert read(source, ["price", "click"]).equals(frame.select("price", "click"))
        told = settings.model_copy(update={"separator": separator, "header": settings.header})
        assert read(open_log(path, read=told)).equals(frame)


def test_what_is_told_from_the_lines_is_said(tmp_path: Path) -> None:
    (tmp_path / "b.txt").write_text("click;price\n1;2,5\n0;3\n")
    (tmp_path / "a.csv").write_text("click,price\n1,2\n")
    (tmp_path / "c.txt").write_text("click;price\n1;0,5\n")
    (tmp_path / "d.tsv").write_text("click\tprice\n1\t2\n")
    (tmp_path / "e.csv").write_bytes("click|price\n1|2\n".encode("utf-16"))
    one = open_log(tmp_path / "b.txt")
    assert one.decimal == ","
    assert one.notes == (f"{tmp_path}/b.txt is read with separator ';' and decimal ','",)
    many = open_log(*sorted(tmp_path.iterdir()))
    assert many.notes == (
        f"{tmp_path}/b.txt and 1 more are read with separator ';' and decimal ','",
        f"{tmp_path}/e.csv is read with separator '|' and encoding utf-16",
    )
    told = ReadSettings(separator=";", decimal=",")
    assert open_log(tmp_path / "b.txt", read=told).notes == ()
    assert open_log(tmp_path / "b.txt", read=told).decimal == ","


@pytest.mark.parametrize(
    ("text", "decimal"),
    [
        ("a;b\n1,5;x\n", ","),
        ("a;b\n1,50;x\nNULL;y\n3;z\n", ","),
        ("a;b\n1,500;x\n2,000;y\n", None),  # thousands, or three decimals
        ("a;b\n1,500;x\n0,500;y\n", ","),
        ("a;b\n1,2,3;x\n4,5;y\n", None),  # lists
        ("a;b\n1,5;x\nten;y\n", None),
        ("a;b\n1,5;2.5\n", None),
        ("a;b\n1;2.5\n", "."),
        ('a,b\n"1,5",2\n', None),
        ("a;b\n1;2\n", None),
    ],
)
def test_decimals_are_told_only_where_they_are_plain(
    tmp_path: Path, text: str, decimal: str | None
) -> None:
    (tmp_path / "log.csv").write_text(text)
    assert open_log(tmp_path / "log.csv").decimal == decimal


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("a,list\n1,1|2\n2,3|4\n", ("a", "list")),
        ("a;b\n1,5;2,5\n2,5;3,5\n", ("a", "b")),
        ("a,b\n1;2,3\n", ("a", "b")),
        ('"a;b","c"\n1,2\n', ("a;b", "c")),
        ('a|"b,c"\n1|2\n', ("a", "b,c")),
        ("words\nto be, or not\n", ("words",)),
        ("sep=|\r\na|b\r\n1|2\r\n", ("a", "b")),
        ("\n\r\na,b\n1,2\n", ("a", "b")),
        (' a , "b" ,c\n1,2,3\n', ("a", "b", "c")),
        (",a\n0,1\n", ("", "a")),
        ("1,b\n1,2\n", ("1", "b")),
    ],
)
def test_headers(tmp_path: Path, text: str, columns: tuple[str, ...]) -> None:
    (tmp_path / "log.csv").write_text(text, newline="")
    assert open_log(tmp_path / "log.csv").columns == columns


def test_blank_lines(tmp_path: Path) -> None:
    """No rows beside rows of several columns; in a file of one column, missing values."""
    path = tmp_path / "log.csv"
    for end in ("\n", "\r\n", "\r"):
        path.write_text(end.join(["a,b", "1,2", "", "3,4", "", ""]), newline="")
        assert read(open_log(path)).rows() == [("1", "2"), ("3", "4")]
        path.write_text(end.join(["a", "x", "", "y", "", ""]), newline="")
        assert read(open_log(path))["a"].to_list() == ["x", None, "y", None]
        path.write_text(end.join(["a", "", "y"]), newline="")
        assert read(open_log(path))["a"].to_list() == [None, "y"]


def test_quoted_cells_after_spaces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "log.csv"
    monkeypatch.setattr(csv_source, "CSV_BLOCK_BYTES", 1 << 16)
    plain = "1,2\n" * 40_000
    for text, last in (
        ('click, "b"\n1, "x, y"\n', ("1", "x, y")),
        (f'click,b\n{plain}1,  "x, ""y"""\n', ("1", 'x, "y"')),
        (f'click,b\n{plain}1,"[""x"", ""y""]"\n', ("1", '["x", "y"]')),
        (f'click,b\n{plain} "1", "x"\n', ("1", "x")),
    ):
        path.write_text(text)
        found = read(open_log(path))
        assert found.height == text.count("\n") - 1 and found.row(-1) == last
        assert found["click"].n_unique() == 1


def test_random_files_are_read_as_pythons_own_reader_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_source, "CSV_BLOCK_BYTES", 512)
    path = tmp_path / "log.csv"
    for seed in range(150):
        draw = random.Random(seed)
        separator, end = draw.choice(",;\t|"), draw.choice(["\n", "\r\n"])
        pieces = ["a", "é", '"', separator, "\n", "x y", "7", "\r\n", ",", "'", "\\"]
        rows = [
            [str(k), *("".join(draw.choices(pieces, k=draw.randrange(4))) for _ in range(3))]
            for k in range(draw.randrange(1, 60))
        ]
        out = io.StringIO()
        quoting = draw.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
        writer = csv.writer(out, delimiter=separator, lineterminator=end, quoting=quoting)
        writer.writerows([["row", "a", "b", "c"], *rows])
        text = out.getvalue()
        path.write_text(text.removesuffix(end) if draw.random() < 0.3 else text, newline="")
        expected = list(csv.reader(io.StringIO(text, newline=""), delimiter=separator))[1:]
        found = read(open_log(path, read=ReadSettings(separator=separator)))
        assert [[cell or "" for cell in row] for row in found.rows()] == expected, seed
        form = csv_source.CsvSource(path, ReadSettings(separator=separator))
        slow = pl.concat(csv_lines.slow_frames(form._stream(), form._format, form.columns, 0, path))
        assert slow.equals(found), seed


def test_memory_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    """Each frame is a block; UTF-16 through gzip, too."""
    path = tmp_path / "log.csv.gz"
    path.write_bytes(packed(("a;b\n" + "1;xxxxxxxx\n" * 2_000_000).encode("utf-16"), ".gz"))
    heights = [frame.height for frame in open_log(path).frames(["a", "b"])]
    assert sum(heights) == 2_000_000 and max(heights) <= csv_source.CSV_BLOCK_BYTES / 11


def test_commas_in_lists_of_a_schema_are_no_decimals(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("click;buy;tags;spot;price\n" + "1;0;7,8;1,5;2\n" * 9)
    kinds = {"click": "click", "conversion": "buy", "numeric": ["price"]}
    multi = [{"name": "tags", "separator": ","}]
    vector = [{"name": "spot", "size": 2, "separator": ","}]
    schema = LogSchema.parse({**kinds, "multi": multi, "vector": vector})
    source = open_log(tmp_path / "log.csv", read=schema.reading)
    assert source.decimal is None and "decimal" not in source.notes[0]
    assert open_log(tmp_path / "log.csv", read=LogSchema.parse(kinds).reading).decimal == ","
    (tmp_path / "log.csv").write_text("click;buy;tags;spot;price\n" + "1;0;7,8;1,5;2,5\n" * 9)
    assert open_log(tmp_path / "log.csv", read=schema.reading).decimal == ","
