"""The exported model under ONNX Runtime: blocks of rows that fit the processor's cache."""

from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from postclick.errors import InputError
from postclick.serving.encoded import Encoded

Floats32 = npt.NDArray[np.float32]
# Larger blocks leave the cache between layers: 4,096 rows take half as long again per row.
BLOCK_ROWS = 256
# Padded ids of one multi-valued feature in one block; rows with long lists come in smaller ones.
BLOCK_IDS = 1 << 16
# Fewer rows are not worth a second thread.
ROWS_PER_THREAD = 512
IDS, NUMERIC = "ids", "numeric"


def bag_inputs(number: int) -> tuple[str, str]:
    """Names of the inputs for the ids and the weights of a multi-valued feature."""
    return f"bag_{number}", f"bag_{number}_weights"


class Model:
    """An ONNX model of which several threads may run blocks of rows at a time."""

    def __init__(self, path: Path, threads: int = 1) -> None:
        """Load the model; `threads` share the blocks of one call.

        Raises:
            InputError: ONNX Runtime is not installed, or cannot read the file.
        """
        runtime = _onnxruntime()
        options = runtime.SessionOptions()
        # A thread of its own for each block: nobody waits for another within a layer.
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3  # errors alone
        try:
            self._session = runtime.InferenceSession(
                path, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # of classes that are in no public module
            first = str(error).strip().splitlines()[0]
            raise InputError(f"{path} cannot be loaded: {first}: export the run again") from None
        self._inputs = {given.name for given in self._session.get_inputs()}
        self.outputs = tuple(given.name for given in self._session.get_outputs())
        self._pool = ThreadPoolExecutor(threads, "score") if threads > 1 else None
        self._threads = threads

    def run(self, rows: Encoded) -> list[Floats32]:
        """float32 [n] for each output."""
        count = len(rows)
        results = [np.empty(count, dtype=np.float32) for _ in self.outputs]
        parts = min(self._threads, count // ROWS_PER_THREAD)
        if self._pool is None or parts < 2:
            self._run(rows, 0, count, results)
            return results
        edges = [count * k // parts for k in range(parts + 1)]
        tasks = [
            self._pool.submit(self._run, rows, start, stop, results)
            for start, stop in pairwise(edges)
        ]
        for task in tasks:
            task.result()
        return results

    def _run(self, rows: Encoded, start: int, stop: int, results: list[Floats32]) -> None:
        for first in range(start, stop, BLOCK_ROWS):
            self._run_block(rows, first, min(first + BLOCK_ROWS, stop), results)

    def run_at_once(self, rows: Encoded) -> list[Floats32]:
        """As `run`, as one block."""
        found: list[Floats32] = self._session.run(None, self._feed(rows, 0, len(rows)))
        return found

    def _run_block(self, rows: Encoded, start: int, stop: int, results: list[Floats32]) -> None:
        longest = max((bag.longest(start, stop) for bag in rows.bags), default=0)
        if stop - start > 1 and (stop - start) * longest > BLOCK_IDS:
            middle = (start + stop) // 2
            self._run_block(rows, start, middle, results)
            self._run_block(rows, middle, stop, results)
            return
        found = self._session.run(None, self._feed(rows, start, stop))
        for result, values in zip(results, found, strict=True):
            result[start:stop] = values

    def _feed(self, rows: Encoded, start: int, stop: int) -> dict[str, npt.NDArray[Any]]:
        feed: dict[str, npt.NDArray[Any]] = {}
        if IDS in self._inputs:
            feed[IDS] = rows.ids[start:stop]
        if NUMERIC in self._inputs:
            feed[NUMERIC] = rows.numeric[start:stop]
        for number, bag in enumerate(rows.bags):
            ids, weights = bag_inputs(number)
            feed[ids], feed[weights] = bag.padded(start, stop)
        return feed


def _onnxruntime() -> Any:
    try:
        return import_module("onnxruntime")
    except ImportError:
        raise InputError("scoring needs onnxruntime: pip install 'postclick[serve]'") from None
