"""The raw files of Ali-CCP as blocks of whole lines, parsed in parallel, handed out in order."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pyarrow as pa

from postclick.datasets.aliccp.digits import PAD
from postclick.errors import InputError

BLOCK_BYTES = 4 << 20
T = TypeVar("T")


@dataclass(frozen=True)
class Block:
    """Whole lines of a file.

    Attributes:
        text: `PAD` blanks, then lines that each end in a line break.
        first_line: number of the first line, from 1.
        unfinished: the file ended without a line break; one has been added.
    """

    text: bytes
    first_line: int
    unfinished: bool


def blocks(path: Path, size: int | None = None) -> Iterator[Block]:
    """Cut a file, plain or compressed, into blocks of about `size` bytes; always the same ones.

    Raises `InputError` if the file cannot be read to its end.
    """
    size = size or BLOCK_BYTES
    carry, line = b"", 1
    try:
        with pa.input_stream(str(path), compression="detect") as stream:
            while data := _read(stream, size):
                cut = data.rfind(b"\n") + 1
                if not cut:
                    carry += data
                    continue
                text = _lines(carry, data[:cut])
                yield Block(text, line, unfinished=False)
                line += text.count(b"\n")
                carry = data[cut:]
    except (OSError, pa.ArrowException) as error:
        raise InputError(
            f"{path} cannot be read to its end: {error}: download or unpack it again"
        ) from None
    if carry:
        yield Block(_lines(carry, b"\n"), line, unfinished=True)


def _read(stream: pa.NativeFile, size: int) -> bytes:
    """Exactly `size` bytes, less only at the end: a compressed stream may hand out fewer."""
    parts: list[bytes] = []
    while size > 0 and (part := stream.read(size)):
        parts.append(part)
        size -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _lines(carry: bytes, data: bytes) -> bytes:
    text = b"".join((b" " * PAD, carry, data))
    return text.replace(b"\r\n", b"\n") if b"\r" in text else text


def in_order(source: Iterator[Block], parse: Callable[[Block], T], workers: int) -> Iterator[T]:
    """`map` over threads: at most `workers + 1` results exist ahead of the one in use."""
    pool = ThreadPoolExecutor(workers, thread_name_prefix="postclick-aliccp")
    waiting: deque[Future[T]] = deque()
    try:
        for block in source:
            waiting.append(pool.submit(parse, block))
            if len(waiting) > workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
