"""External shuffle: spilled rows are scattered over buckets, and each bucket becomes a shard."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from postclick.data.encode.encoder import Encoder
from postclick.data.manifest import TRUTH_COLUMNS, Shard
from postclick.data.read.canonical import ROW
from postclick.data.row_hash import SHUFFLE, UInt64s, hashes_of
from postclick.data.sample import HASH
from postclick.data.write.spill import Spill
from postclick.system.checksums import file_digest

MAX_OPEN_BUCKETS = 256
# Shards that are sorted, written and hashed at the same time.
WRITERS = 2
# Shards get fewer rows where rows are long: a shard has to fit in memory a few times.
SHARD_BYTES = 512 << 20


def write_shards(
    spill: Spill,
    encoder: Encoder,
    folder: Path,
    split: str,
    *,
    truth: tuple[str, ...],
    shard_rows: int,
    seed: int,
    progress: Callable[[int], None],
) -> tuple[Shard, ...]:
    """Encode the spilled rows and write them to `folder/split` in the order of a row hash.

    A row's hash decides its shard and its place there, so every order of the rows is as likely
    as any other and no chunking changes it. Memory holds about `WRITERS` shards.

    Args:
        truth: the truth columns to write.
        progress: called with the number of rows written so far.
    """
    count = max(1, -(-spill.rows // shard_rows), -(-spill.size // SHARD_BYTES))
    (folder / split).mkdir(parents=True)
    absent = [name for name in TRUTH_COLUMNS if name not in truth]
    shards: list[Shard] = []
    with ThreadPoolExecutor(min(WRITERS, pl.thread_pool_size())) as writers:
        for first in range(0, count, MAX_OPEN_BUCKETS):
            wanted = range(first, min(first + MAX_OPEN_BUCKETS, count))
            buckets = _scatter(spill, encoder, absent, seed, wanted, count)
            full = [bucket for bucket in buckets if bucket.rows]
            files = [f"{split}/part-{len(shards) + k:05d}.parquet" for k in range(len(full))]
            for shard in writers.map(partial(_finish, folder), full, files):
                shards.append(shard)
                progress(sum(shard.rows for shard in shards))
    return tuple(shards)


def _scatter(
    spill: Spill, encoder: Encoder, absent: list[str], seed: int, wanted: range, count: int
) -> list[Spill]:
    buckets = [Spill(spill.path.with_name(f"{spill.path.name}-{k:06d}")) for k in wanted]
    with ExitStack() as stack:
        for bucket in buckets:
            stack.callback(bucket.close)
        for frame in spill.portions():
            hashes = hashes_of(frame[ROW].to_numpy(), seed, SHUFFLE)
            numbers = bucket_of(hashes, count)
            if len(wanted) < count:
                mask = (numbers >= wanted.start) & (numbers < wanted.stop)
                frame, hashes, numbers = frame.filter(pl.Series(mask)), hashes[mask], numbers[mask]
            encoded = encoder.encode(frame.drop(absent, strict=False)).with_columns(
                pl.Series(HASH, hashes)
            )
            if len(buckets) > 1:
                encoded = encoded[np.argsort(numbers, kind="stable")]
            ends = np.cumsum(np.bincount(numbers - wanted.start, minlength=len(buckets)))
            for bucket, end, before in zip(buckets, ends, [0, *ends], strict=False):
                bucket.add(encoded.slice(int(before), int(end - before)))
    return buckets


def bucket_of(hashes: UInt64s, count: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """int64 [n]: equal parts of the range of hashes, 0 to count - 1.

    >>> bucket_of(np.array([0, 2**63, 2**64 - 1], dtype=np.uint64), 4).tolist()
    [0, 2, 3]
    """
    high = (hashes >> np.uint64(32)) * np.uint64(count)
    return (high >> np.uint64(32)).astype(np.int64)


def _finish(folder: Path, bucket: Spill, file: str) -> Shard:
    """The shard of a bucket, which is then deleted."""
    _write_shard(bucket, folder / file)
    bucket.path.unlink()
    return Shard(file=file, rows=bucket.rows, sha256=file_digest(folder / file))


def _write_shard(bucket: Spill, path: Path) -> None:
    frame = pl.concat(list(bucket.frames()))
    frame = frame[np.argsort(frame[HASH].to_numpy())].drop(HASH)
    table = frame.rechunk().to_arrow()
    fields = []
    for column in table.schema:
        kind = column.type
        plain = pa.list_(kind.value_type) if pa.types.is_large_list(kind) else kind
        fields.append(pa.field(column.name, plain, nullable=False))
    # Fast to read rather than small: ids are shuffled, dictionaries would gain little.
    pq.write_table(
        table.cast(pa.schema(fields)),
        path,
        row_group_size=max(1, table.num_rows),
        compression="lz4",
        use_dictionary=False,
        write_statistics=False,
    )
