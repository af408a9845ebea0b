"""The exported model under ONNX Runtime: blocks of rows that fit the processor's cache."""

from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from postclick.data.lookup.encoded_rows import EncodedRows
from postclick.errors import InputError
from postclick.serving.bundle.column_owners import owners_of
from postclick.serving.bundle.graph_inputs import Feed

Floats32 = npt.NDArray[np.float32]
# Larger blocks leave the cache between layers: 4,096 rows take half as long again per row.
BLOCK_ROWS = 512
# Padded ids of one multi-valued feature in one block; rows with long lists come in smaller ones.
BLOCK_IDS = 1 << 16
# Fewer rows are not worth a second thread.
ROWS_PER_THREAD = 512


class OnnxModel:
    """An ONNX model of which several threads may run blocks of rows at a time."""

    def __init__(
        self,
        path: Path,
        threads: int = 1,
        user_features: Collection[str] = (),
        met: Collection[str] = (),
    ) -> None:
        """Load the model.

        Args:
            threads: that share the blocks of one call.
            user_features: those whose columns were exported as inputs of their own.
            met: lists among them that are attended by each candidate: they take room for each.

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
        self.user_features, self._met = frozenset(user_features), frozenset(met)
        self.inputs = {given.name for given in self._session.get_inputs()}
        self.outputs = tuple(given.name for given in self._session.get_outputs())
        self._pool = ThreadPoolExecutor(threads, "score") if threads > 1 else None
        self._threads = threads

    def run(self, rows: EncodedRows, user: EncodedRows | None = None) -> list[Floats32]:
        """float32 [n] for each output.

        `user` is the one row in which all of `user_features` are encoded, if `rows` share it;
        those columns of `rows` are not read then.
        """
        count = len(rows)
        feed = Feed(rows, owners_of(rows.layout, self.user_features), user, self._met)
        results = [np.empty(count, dtype=np.float32) for _ in self.outputs]
        shares = min(self._threads, count // ROWS_PER_THREAD)
        if self._pool is None or shares < 2:
            self._run(feed, 0, count, results)
            return results
        edges = [count * k // shares for k in range(shares + 1)]
        tasks = [
            self._pool.submit(self._run, feed, start, stop, results)
            for start, stop in pairwise(edges)
        ]
        for task in tasks:
            task.result()
        return results

    def run_at_once(self, rows: EncodedRows, user: EncodedRows | None = None) -> list[Floats32]:
        """As `run`, as one block."""
        feed = Feed(rows, owners_of(rows.layout, self.user_features), user)
        found: list[Floats32] = self._session.run(None, feed.block(0, len(rows)))
        return found

    def _run(self, feed: Feed, start: int, stop: int, results: list[Floats32]) -> None:
        for first in range(start, stop, BLOCK_ROWS):
            self._run_block(feed, first, min(first + BLOCK_ROWS, stop), results)

    def _run_block(self, feed: Feed, start: int, stop: int, results: list[Floats32]) -> None:
        if stop - start > 1 and (stop - start) * feed.longest(start, stop) > BLOCK_IDS:
            middle = (start + stop) // 2
            self._run_block(feed, start, middle, results)
            self._run_block(feed, middle, stop, results)
            return
        found = self._session.run(None, feed.block(start, stop))
        for result, values in zip(results, found, strict=True):
            result[start:stop] = values


def _onnxruntime() -> Any:
    try:
        return import_module("onnxruntime")
    except ImportError:
        raise InputError("scoring needs onnxruntime: pip install 'postclick[serve]'") from None
