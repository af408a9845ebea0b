"""What is wrong with a text file is one line, and the mend that it names works."""

import random
from pathlib import Path

import polars as pl
import pytest

from helpers.packing import packed
from postclick.data.read.opening import LogSource, open_log
from postclick.data.schema import ReadSettings
from postclick.errors import InputError


def read(source: LogSource) -> pl.DataFrame:
    return pl.concat(list(source.frames(source.columns)))


def refused(path: Path, **settings: object) -> str:
    with pytest.raises(InputError) as caught:
        read(open_log(path, read=ReadSettings.model_validate(settings)))
    message = str(caught.value)
    assert "\n" not in message and message.startswith(str(path)), message
    return message.removeprefix(str(path))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", " is empty: expected a header line"),
        (b"\n\r\n\n", " is empty: expected a header line"),
        (b"a,b,a\n1,2,3\n", ": column 'a' stands twice in the header"),
        (b"a, a\n1,2\n", ": column 'a' stands twice in the header"),
        (b"a,b\n1,2\n3,4,5\n", " cannot be read to its end: line 3 has 3 columns, its header 2"),
        (b"a,b\n1,2\n\n3\n", " cannot be read to its end: line 4 has 1 column, its header 2"),
        (b"a,b\r1,2\r3\r", " cannot be read to its end: line 3 has 1 column, its header 2"),
        (b"a,b\n1,2,\n", "line 2 has 3 columns (it ends with a separator), its header 2: mend"),
        (b'a,b\n"x\ny",2\n3\n', "line 4 has 1 column"),
        (b'a,b\n1,2\n"3,4\n5,6\n', "the row of lines 3 to 4, where a quote opens, has 1 column"),
        (b'"a,b\n1,2\n', ": a quote opens in its first line and never closes"),
        (b'a, "b"\n1, "x, y"\n1, 2, 3\n', "line 3 has 3 columns, its header 2"),
        (b"caf\xe9,b\n1,2\n", " is not UTF-8 (line 1, byte 0xe9): set read: {encoding: latin-1}"),
        (b"a,b\n" + b"1,2\n" * 90_000 + b"1,\xe9\n", " is not UTF-8 (line 90002, byte 0xe9)"),
        (b"1,2\n3,4\n", " has no header: its first line (1, 2) is like those below: name the 2"),
        (b"1\t2.5\tx\ty\n1\t2\tz\ty\n", " has no header: its first line (1, 2.5, x, ...) is like"),
        (b"2024-01-05,a\n2024-01-06,b\n", " has no header: its first line (2024-01-05, a)"),
        (b"x,y\nx,y\n", " has no header"),
        (b"1,0\n", " has no header"),
        (b"1::1193::5\n1::661::3\n", ": '::' separates its columns: a separator is one character"),
        (b"a,b\n1,2\n".decode().encode("utf-16-le"), "zero, as in UTF-16 without a mark: set read"),
        (bytes(range(256)) * 9, " is neither text nor in a format that is read"),
    ],
)
def test_one_line(tmp_path: Path, data: bytes, says: str) -> None:
    path = tmp_path / "log.csv"
    path.write_bytes(data)
    assert says in refused(path)
    packing = tmp_path / "log.csv.gz"
    packing.write_bytes(packed(data, ".gz"))
    assert says.replace("log.csv ", "log.csv.gz ") in refused(packing)


def test_mends_work(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_bytes("café,b\n1,é\n".encode("latin-1"))
    assert "encoding: latin-1" in refused(path)
    found = read(open_log(path, read=ReadSettings(encoding="latin-1")))
    assert found.to_dict(as_series=False) == {"café": ["1"], "b": ["é"]}
    path.write_bytes("a,b\n1,é\n".encode("utf-16-be"))
    assert "encoding: utf-16-be" in refused(path)
    assert read(open_log(path, read=ReadSettings(encoding="utf-16-be"))).rows() == [("1", "é")]
    path.write_text("1,2\n3,4\n")
    message = refused(path)
    assert "header: [a, b, ...]" in message and "header=false" in message
    named = read(open_log(path, read=ReadSettings(header=("x", "y"))))
    assert named.to_dict(as_series=False) == {"x": ["1", "3"], "y": ["2", "4"]}
    numbered = open_log(path, read=ReadSettings(header=False))
    assert numbered.columns == ("column_1", "column_2") and read(numbered).height == 2
    kept = open_log(path, read=ReadSettings(header=True))
    assert kept.columns == ("1", "2") and read(kept).rows() == [("3", "4")]
    path.write_text("a,b,a\n1,2,3\n")
    path.write_text("a,b,c\n1,2,3\n")
    assert "is the header that read.header gives" in refused(path, header=["a", "b", "c"])
    assert "names 2 columns, its first line has 3" in refused(path, header=["a", "b"])


def test_wrong_settings_are_one_line(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_bytes("a,b\n1,é\n".encode())
    assert " is not utf-16 (line 1" in refused(path, encoding="utf-16")
    assert " is not UTF-8" in refused(path, encoding="ascii")


def test_a_damaged_byte_never_ends_in_a_traceback(tmp_path: Path) -> None:
    """Flipped bytes of a small file in every packing: read, or one line."""
    path, draw = tmp_path / "log.csv", random.Random(0)
    whole = ('a,b\n1,"x, y"\n2,é\n' + "3,z\n" * 50).encode()
    refusals: list[str] = []
    for packing in ("", ".gz", ".zst", ".bz2", ".lz4"):
        data = packed(whole, packing)
        for _ in range(60):
            broken = bytearray(data)
            broken[draw.randrange(len(broken))] ^= 1 << draw.randrange(8)
            path.write_bytes(broken)
            try:
                read(open_log(path))
            except InputError as error:
                refusals.append(str(error))
    assert len(refusals) > 100 and not [text for text in refusals if "\n" in text]
