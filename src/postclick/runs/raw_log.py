"""`RawLog`: a raw log with labels of any day, encoded with what a run holds."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import Tensor

from postclick.data import manifest as m
from postclick.data.arrays import RowArrays
from postclick.data.batch import Batch
from postclick.data.check.columns.labels import (
    CLICKED_CONVERSION,
    RIGHT_LABELS,
    BadRows,
    LabelCounts,
    label_findings,
    require_policy,
    volume_findings,
)
from postclick.data.check.columns.value_findings import value_findings
from postclick.data.check.columns.weights import unusable_weights
from postclick.data.check.findings import CheckReport, Finding, Funnel, in_order
from postclick.data.encode.vocabulary import Vocabulary
from postclick.data.lookup.raw_rows import RawRows
from postclick.data.lookup.row_arrays import arrays_of
from postclick.data.prepared import InputSpec, PreparedLog
from postclick.data.read.canonical import Canonicalizer, Issues
from postclick.data.read.heeded import decimal_of
from postclick.data.read.opening import LogLike
from postclick.data.read.read_ahead import read_ahead
from postclick.data.read.reader import in_pieces
from postclick.errors import InputError
from postclick.judging.raw_values import CutRows, RawValues, raw_values
from postclick.judging.scorer import open_as_trained
from postclick.runs.raw_columns import (
    labels_alone,
    refuse_prepared,
    require_exposure,
    require_labels,
)
from postclick.runs.raw_encoder import encoder_of, written_with
from postclick.runs.raw_truth import whole_truth


@dataclass(frozen=True)
class LogCounts:
    """What was read of a log.

    Attributes:
        rows, clicks, conversions: of the rows that were judged.
        left_out: rows whose labels are wrong, where `on_bad_rows` is "drop".
        notes: what is odd about the log, one line each.
    """

    rows: int
    clicks: int
    conversions: int
    left_out: int
    notes: tuple[str, ...] = ()


class RawLog:
    """Reads a log chunk by chunk, and makes of it the arrays that the run's method is given.

    Labels, group, weight and truth are read as the schema of the run says, and wrong ones are
    dealt with as `prepare` does. Rows have the ids of their exposures where the log has them.

    Attributes:
        source: the log.
        by: the columns that rows are cut by.
    """

    def __init__(
        self,
        folder: Path,
        manifest: m.Manifest,
        log: LogLike,
        *,
        read: Sequence[str] = (),
        on_bad_rows: BadRows = "error",
        by: Sequence[str] = (),
        exposure: bool = True,
    ) -> None:
        """Open a log for the run in `folder`; `exposure=False` leaves rows' exposures unread.

        Raises:
            InputError: there is no such log, it lacks a column, or an option is none.
        """
        require_policy(on_bad_rows)
        refuse_prepared(log)
        self.source = open_as_trained(manifest.log_schema, log, read)
        self._schema = written_with(manifest.log_schema, decimal_of(read, self.source))
        self._policy = on_bad_rows
        self._encoder = encoder_of(folder, manifest, self._schema)
        self._inputs: InputSpec = PreparedLog(folder).inputs
        self._unit = manifest.split("train").mean_weight
        self._features = tuple(
            dict.fromkeys(c for names in self._encoder.columns.values() for c in names)
        )
        columns = self.source.columns
        labels = labels_alone(self._schema, columns if exposure else ())
        self._canonical = Canonicalizer(labels, columns)
        self._exposure: Callable[[pl.DataFrame], Tensor] | None = None
        if labels.exposure is not None:
            self._exposure = _exposure_ids(folder, labels.exposure.column)
        require_labels(self._schema, self.source, self._canonical)
        self.source.require(self._features)
        self.by: tuple[RawValues, ...] = tuple(
            raw_values(self._schema, self.source, name) for name in dict.fromkeys(by)
        )

    @property
    def name(self) -> str:
        """What messages call it, usually the path."""
        return self.source.name

    def require_exposure(self) -> None:
        """Raise `InputError` where the run has an exposure and the log does not."""
        require_exposure(self._schema, self.source)

    def windows(
        self, *, clicked: bool = False, truth: Collection[str] | None = None
    ) -> Iterator[RowArrays]:
        """The rows in order, in arrays of one chunk.

        Args:
            clicked: only clicked rows that weigh something.
            truth: prepared names of the truth columns to have, by default all that there are.

        Raises:
            InputError: a value cannot be read; and, behind the last row, labels or weights are
                wrong, or there is no row.
        """
        self._issues, self._raw, self._kept = Issues(), LabelCounts(), LabelCounts()
        self._truth = tuple(self._canonical.truth if truth is None else truth)
        cut = [values.name for values in self.by]
        reads = list(dict.fromkeys([*self._features, *self._canonical.reads, *cut]))
        schema = self._schema
        lists = [*(f.name for f in (*schema.multi, *schema.vector)), *schema.weight_columns]
        for frame in read_ahead(self.source.frames(reads)):
            for piece in in_pieces(frame, tuple(dict.fromkeys(lists))):
                window = self._window(piece, clicked=clicked)
                if len(window):
                    yield window
        self._report().raise_errors()

    def sequential(self, batch_size: int) -> Iterator[tuple[Batch, RowArrays, Tensor]]:
        """The same as batches, each with the arrays it came from, and its row numbers.

        Raises:
            InputError: as `windows`, or a truth column has values in some rows only.
        """
        truth = whole_truth(self._schema, self.source)
        for window in self.windows(truth=truth):
            for rows in torch.split(torch.arange(len(window)), batch_size):
                yield window.take(rows), window, rows

    @property
    def counts(self) -> LogCounts:
        """What was read, when all of it was."""
        report = self._report()
        notes = tuple(f.message for f in report.findings if f.severity != "error")
        kept, left_out = self._kept, self._raw.rows - self._kept.rows
        return LogCounts(kept.rows, kept.clicks, kept.conversions, left_out, notes)

    def _window(self, raw: pl.DataFrame, *, clicked: bool) -> RowArrays:
        labels = self._canonical.convert(raw.select(self._canonical.reads), self._issues)
        self._raw.add(labels[m.CLICK], labels[m.CONVERSION])
        if self._policy == "keep":
            labels = labels.with_columns(CLICKED_CONVERSION)
        # Where they are an error, it is told behind the last row, with the number of rows.
        wanted = labels.select(RIGHT_LABELS).to_series().fill_null(False)
        kept = labels.filter(wanted)
        self._kept.add(kept[m.CLICK], kept[m.CONVERSION])
        if clicked:
            taken = labels[m.CLICK] == 1
            if self._schema.weight:
                taken &= labels[m.WEIGHT] > 0
            wanted &= taken.fill_null(False)
        raw, labels = raw.filter(wanted), labels.filter(wanted)
        try:
            encoded = self._encoder.encode(RawRows(raw.select(self._features)))
        except InputError as error:
            raise InputError(f"{self.name}: {error}") from None
        arrays = arrays_of(
            encoded,
            self._inputs,
            labels[m.CLICK].to_numpy(),
            labels[m.CONVERSION].to_numpy(),
            **self._of_rows(labels),
        )
        if not self.by:
            return arrays
        keys = {values.name: values.keys(raw[values.name]) for values in self.by}
        return CutRows(**vars(arrays), keys=keys)

    def _of_rows(self, labels: pl.DataFrame) -> dict[str, Any]:
        """Truth, group, weight and exposure, as prepared logs have them."""
        found: dict[str, Any] = {
            "truth": {
                name: labels[name].cast(pl.Float32).fill_null(float("nan")).to_numpy()
                for name in self._truth
            },
            "unit": self._unit,
        }
        if self._schema.group:
            found["group"] = labels[m.GROUP].to_numpy()
        if self._schema.weight:
            # One that cannot be used is an error, told behind the last row.
            weight = labels[m.WEIGHT].fill_null(0.0).to_numpy().astype(np.float32)
            found["weight"] = torch.from_numpy(weight)
        if self._exposure is not None:
            found["exposure"] = self._exposure(labels)
        return found

    def _report(self) -> CheckReport:
        """What is wrong or odd about the rows that were read."""
        schema, name, raw, issues = self._schema, self.name, self._raw, self._issues
        found: list[Finding] = []
        found += label_findings(schema, name, raw, issues, self._policy, "judge")
        found += value_findings(schema, name, issues, raw.rows)
        if schema.weight:
            found += unusable_weights(schema.weight, name, issues, raw.rows)
        kept = self._kept
        found += volume_findings(schema, name, Funnel(kept.rows, kept.clicks, kept.conversions))
        return CheckReport(in_order(found), {})


def _exposure_ids(folder: Path, column: str) -> Callable[[pl.DataFrame], Tensor]:
    """What gives the rows of canonical frames the ids of a run's exposure, int32 [n]."""
    vocabulary = Vocabulary.load(folder / m.VOCABULARIES, column)
    return lambda labels: torch.from_numpy(vocabulary.encode(labels[column]).copy())
