"""Rows as columns that are put away until all have been seen, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from postclick.judging.predicted.columns import KINDS
from postclick.judging.predicted.quantities import Labels
from postclick.judging.predicted.rows import JudgedRows, Predicted
from postclick.judging.predicted.spool import Columns
from postclick.metrics.gauc import NO_GROUP


def labels_of(rows: JudgedRows) -> Labels:
    """What happened to the rows."""
    return Labels(rows.click, rows.conversion, rows.truth, rows.group, rows.weight)


def put_away(rows: JudgedRows, values: Mapping[str, NDArray[Any]]) -> Columns:
    """Some rows as columns for a `Spool`, without their groups, which it adds itself."""
    found: Columns = {
        "label": rows.click.astype(np.uint8) + 2 * rows.conversion.astype(np.uint8),
        "unit": rows.unit,
    }
    for name in ("weight", "truth"):
        column = getattr(rows, name)
        if column is not None:
            found[name] = column.view(np.uint8) if column.dtype.kind == "b" else column
    for name, model in rows.models.items():
        for kind in KINDS:
            column = getattr(model, kind)
            if column is not None:
                found[f"{kind} {name}"] = column
    return found | {f"value {role}": one for role, one in values.items()}


@dataclass(frozen=True)
class Piece:
    """Some rows, as they were put away; `values` holds features by `value ROLE`."""

    labels: Labels
    models: dict[str, Predicted]
    unit: NDArray[np.uint16]
    values: Columns


def piece_of(piece: Columns, on_clicks: Mapping[str, frozenset[str]]) -> Piece:
    """What `put_away` made of some rows."""
    label, truth = piece["label"], piece.get("truth")
    if truth is not None and truth.dtype == np.uint8:
        truth = truth.view(np.bool_)
    group, dense = piece.get("group"), None
    if group is not None:
        _, dense = np.unique(group, return_inverse=True)
        dense = np.where(group == NO_GROUP, 0, dense + 1)
    labels = Labels(
        (label & 1).astype(np.bool_), label > 1, truth, group, piece.get("weight"), dense
    )
    models = {
        name: Predicted(*(piece.get(f"{kind} {name}") for kind in KINDS), on_clicks=part).complete()
        for name, part in on_clicks.items()
    }
    values = {name: column for name, column in piece.items() if name.startswith("value ")}
    return Piece(labels, models, piece["unit"], values)
