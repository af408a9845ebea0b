"""Safetensors files written tensor by tensor: a copy of all of them never stands in memory."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path

import torch
from torch import Tensor

from postclick.system.files import replacing

SHA256, UNKNOWN = "sha256", "0" * 64
PIECE_BYTES = 1 << 20
LARGEST_HEADER = 100 << 20  # as the library has it
# Names of the safetensors format.
_NAMES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}


def write_tensors(
    path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None
) -> None:
    """Write a safetensors file in one step: it has the old content or the new, at any moment.

    The format is eight bytes of length, a JSON header and the tensors' memory. The library's own
    writer first turns all tensors into bytes, twice their size in memory. The header's metadata has
    the sha256 of the file as it is with zeros in that place.

    Raises:
        InputError: the file cannot be written.
    """
    header: dict[str, object] = {"__metadata__": {SHA256: UNKNOWN, **(metadata or {})}}
    position = 0
    for name, tensor in tensors.items():
        size = tensor.numel() * tensor.element_size()
        header[name] = {
            "dtype": _NAMES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [position, position + size],
        }
        position += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)  # tensors begin at a multiple of eight bytes
    length, total = len(text).to_bytes(8, "little"), hashlib.sha256()
    with replacing(path) as file:
        parts: Iterator[bytes | memoryview] = chain((length, text), map(_memory, tensors.values()))
        for part in parts:
            total.update(part)
            file.write(part)
        file.seek(len(length) + text.index(UNKNOWN.encode()))
        file.write(total.hexdigest().encode())


def check_tensors(path: Path) -> None:
    """Make sure that a file has the sha256 that `write_tensors` put into it.

    Raises:
        OSError: it cannot be read.
        ValueError: it is another one, or there is none.
    """
    with path.open("rb") as file:
        length = file.read(8)
        size = int.from_bytes(length, "little")
        if size > LARGEST_HEADER:
            raise ValueError(f"its header would be {size:,} bytes long")
        text = file.read(size)
        header = json.loads(text)
        metadata = header.get("__metadata__") if isinstance(header, dict) else None
        expected = metadata.get(SHA256) if isinstance(metadata, dict) else None
        if not isinstance(expected, str):
            raise ValueError("it has no sha256")
        total = hashlib.sha256(length + text.replace(expected.encode(), UNKNOWN.encode(), 1))
        while piece := file.read(PIECE_BYTES):
            total.update(piece)
    if total.hexdigest() != expected:
        raise ValueError("its sha256 differs")


def _memory(tensor: Tensor) -> memoryview:
    flat = tensor.detach().cpu().contiguous().reshape(-1)
    data: memoryview = flat.view(torch.uint8).numpy().data
    return data
