"""Bytes compressed as log files may be."""

import bz2
import gzip

import pyarrow as pa

CODECS = {".zst": "zstd", ".lz4": "lz4"}


def packed(data: bytes, suffix: str) -> bytes:
    """`data` as a file that ends in `suffix` would hold it; "" leaves it as it is."""
    if suffix == ".gz":
        return gzip.compress(data, mtime=0)
    if suffix == ".bz2":
        return bz2.compress(data)
    if suffix == "":
        return data
    sink = pa.BufferOutputStream()
    stream = pa.CompressedOutputStream(sink, CODECS[suffix])
    stream.write(data)
    stream.close()
    whole: bytes = sink.getvalue().to_pybytes()
    return whole
