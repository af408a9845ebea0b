"""A log of predictions, read chunk by chunk into `JudgedRows`; what is wrong with it is refused."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from postclick.data.read.log_source import LogSource
from postclick.data.read.values.labels import to_funnel
from postclick.data.read.values.numbers import to_number
from postclick.data.read.values.sample_weight import LARGEST_WEIGHT, to_weight
from postclick.data.read.values.value_rules import ValueRules
from postclick.errors import InputError
from postclick.judging.entire import FittedPropensity
from postclick.judging.predicted.agreement import Agreement
from postclick.judging.predicted.columns import KINDS, ModelColumns, Roles
from postclick.judging.predicted.rows import JudgedRows, Predicted
from postclick.judging.predicted.units import group_hash, units_of
from postclick.judging.scorer import Scorer
from postclick.metrics.gauc import NO_GROUP
from postclick.spelling import option

OnBadRows = Literal["error", "drop"]
Bools = NDArray[np.bool_]
_FLOATS = (pl.Float32, pl.Float64)


class LogOfPredictions:
    """A log with labels, and models whose predictions are columns of it or that score its rows.

    Attributes:
        dropped: rows that were left out so far, by what was wrong with them.
        lacking: rows without a click that lack a prediction so far, by model and kind.
        agreement: of pCTCVR with pCTR x pCVR so far, by model.
        groupless: rows without a group so far.

    Raises:
        InputError: a column that a role or a model names is not there.
    """

    def __init__(
        self,
        source: LogSource,
        roles: Roles,
        models: Mapping[str, ModelColumns | Scorer],
        *,
        rules: ValueRules | None = None,
        on_bad_rows: OnBadRows = "error",
        fitted: FittedPropensity | None = None,
    ) -> None:
        """`fitted` gives propensities where no column has them; it reads `roles.features`."""
        roles.require(source.columns, source.name)
        self.source, self.roles, self.models = source, roles, models
        self._fitted = fitted
        self.dropped: dict[str, int] = {}
        self.lacking: dict[tuple[str, str], int] = {}
        self.agreement = {name: Agreement() for name in models}
        self.groupless = 0
        self._rules = rules or ValueRules(decimal="," if source.decimal == "," else ".")
        self._drop = on_bad_rows == "drop"
        read = [c for model in models.values() for c in columns_of(model)]
        self._columns = list(dict.fromkeys([*roles.columns.values(), *read]))
        source.require(self._columns)

    def rows(self) -> Iterator[JudgedRows]:
        """All rows, in order, some hundred thousand at a time.

        Raises:
            InputError: a value cannot be used; the message has its column, row and mend.
        """
        first = 0
        for frame in self.source.frames(self._columns):
            if frame.height:
                numbers = np.arange(first, first + frame.height)
                first += frame.height
                yield self._read(frame, numbers)

    def _read(self, frame: pl.DataFrame, numbers: NDArray[np.int64]) -> JudgedRows:
        roles = self.roles
        # A column without any value has no type yet: its values are missing texts.
        frame = frame.cast({pl.Null: pl.String})
        click, conversion, good = self._labels(frame, numbers)
        if not good.all():
            frame, numbers = frame.filter(pl.Series(good)), numbers[good]
            click, conversion = click[good], conversion[good]
        group = None if roles.group is None else group_hash(frame[roles.group], self._rules)
        self.groupless += 0 if group is None else int(np.count_nonzero(group == NO_GROUP))
        values = [(f"by {name}", name) for name in roles.by]
        values += [(f"feature {name}", name) for name in roles.features if name not in roles.by]
        values += [(role, getattr(roles, role) or "") for role in ("time", "exposure")]
        unit = units_of(numbers, group)
        propensity = self._probability(frame, roles.propensity, numbers, "propensity")
        if self._fitted is not None:
            known = frame.select(roles.features)
            propensity = self._fitted.predict(known, unit.astype(np.int64))
        return JudgedRows(
            click,
            conversion,
            {
                name: self._predicted(name, one, frame, numbers, click)
                for name, one in self.models.items()
            },
            unit,
            group,
            self._weight(frame, numbers),
            self._truth(frame, numbers, click, conversion),
            propensity,
            self._probability(frame, roles.randomised, numbers, "randomised", missing=0.0),
            {role: frame[column] for role, column in values if column},
        )

    def _labels(
        self, frame: pl.DataFrame, numbers: NDArray[np.int64]
    ) -> tuple[Bools, Bools, Bools]:
        """Click, conversion, and which rows are good."""
        names = self.roles.click.column, self.roles.conversion.column
        labels, _ = to_funnel((frame[names[0]], frame[names[1]]), self.roles, self._rules)
        good = np.ones(frame.height, np.bool_)
        found = []
        for name, role, label in zip(names, ("click", "conversion"), labels, strict=True):
            wrong = label.is_null().to_numpy() & good
            rule = f"give a rule such as {option(role)} '{name} {_rule(frame[name], wrong)}'"
            # Leaving an amount's rows out would leave every purchase out.
            known = frame[name].filter(pl.Series(wrong)).drop_nulls()
            amounts = len(known) > 0 and rule.endswith("> 0'")
            what = f"{name!r} is neither 0 nor 1"
            self._refuse(wrong, numbers, what, frame[name], rule, droppable=not amounts)
            good &= ~wrong
            found.append(label.fill_null(0).to_numpy() == 1)
        click, conversion = found
        stray = conversion & ~click & good
        self._refuse(
            stray,
            numbers,
            f"{names[1]!r} is 1 without a click",
            frame[names[1]],
            "set it to 0 where nobody clicked",
        )
        return click, conversion, good & ~stray

    def _refuse(
        self,
        wrong: Bools,
        numbers: NDArray[np.int64],
        what: str,
        column: pl.Series,
        mend: str,
        *,
        droppable: bool = True,
    ) -> None:
        count = int(np.count_nonzero(wrong))
        if not count:
            return
        if self._drop:
            self.dropped[what] = self.dropped.get(what, 0) + count
            return
        drop = f", or leave such rows out with {option('on_bad_rows', 'drop')}"
        raise InputError(
            f"{self.source.name}: {what} in {_where(wrong, numbers, column)}: mend the log, or "
            f"{mend}{drop if droppable else ''}"
        )

    def _predicted(
        self,
        name: str,
        model: ModelColumns | Scorer,
        frame: pl.DataFrame,
        numbers: NDArray[np.int64],
        click: Bools,
    ) -> Predicted:
        """What a model predicts; what depends on a click may be missing where there is none."""
        of = f"model {name!r}"
        if not isinstance(model, ModelColumns):
            frame = model.score(frame)
            return Predicted(*(self._probability(frame, kind, numbers, of) for kind in KINDS))
        found: dict[str, NDArray[Any] | None] = {}
        for kind in KINDS:
            # pCTCVR alone has no figure on clicked rows.
            may_lack = kind == "pcvr" or (kind == "pctcvr" and len(model.columns) > 1)
            column = getattr(model, kind)
            optional = ~click if may_lack else None
            found[kind] = self._probability(frame, column, numbers, of, optional=optional)
        lacking = {
            kind: rows
            for kind in KINDS[1:]
            if (p := found[kind]) is not None and (rows := int(np.isnan(p).sum()))
        }
        for kind, rows in lacking.items():
            self.lacking[name, kind] = self.lacking.get((name, kind), 0) + rows
        predicted = Predicted(**found, on_clicks=frozenset(lacking))
        self.agreement[name].add(predicted)
        return predicted

    def _probability(
        self,
        frame: pl.DataFrame,
        column: str | None,
        numbers: NDArray[np.int64],
        of: str,
        *,
        missing: float | None = None,
        optional: Bools | None = None,
    ) -> NDArray[Any] | None:
        """The column as floats in [0, 1], in the precision that it has.

        Args:
            missing: what stands for a value that is missing; without it, that is an error.
            optional: rows at which a value may be missing, `(n,)`: it is NaN there.
        """
        if column is None:
            return None
        raw = frame[column]
        series = raw if raw.dtype in _FLOATS else to_number(raw, self._rules)[0]
        filled = series.fill_null(np.nan if missing is None else missing)
        values = np.asarray(filled.to_numpy())
        wrong = ~((values >= 0) & (values <= 1))
        if optional is not None and wrong.any():
            absent = np.isnan(values)
            if raw.dtype == pl.String:  # but what is no number either
                absent &= self._rules.is_no_number(raw).fill_null(True).to_numpy()
            wrong &= ~(optional & absent)
        if wrong.any():
            row = int(np.flatnonzero(wrong)[0])
            mend = "fill it in, or leave such rows out of the log"
            if values[row] == values[row]:
                mend = "divide percents by 100, and turn logits z into 1 / (1 + exp(-z))"
            raise InputError(
                f"{self.source.name}: column {column!r} ({of}) is no probability in "
                f"{_where(wrong, numbers, raw)}: {mend}"
            )
        return values

    def _weight(
        self, frame: pl.DataFrame, numbers: NDArray[np.int64]
    ) -> NDArray[np.float64] | None:
        if self.roles.weight is None:
            return None
        raw = frame[self.roles.weight]
        weight, bad = to_weight(raw, self._rules)
        if bad.rows:
            raise InputError(
                f"{self.source.name}: the weight {self.roles.weight!r} cannot be used in "
                f"{_where(weight.is_null().to_numpy(), numbers, raw)}: give numbers from 0 to "
                f"{LARGEST_WEIGHT:g}"
            )
        return weight.to_numpy()

    def _truth(
        self, frame: pl.DataFrame, numbers: NDArray[np.int64], click: Bools, conversion: Bools
    ) -> NDArray[Any] | None:
        roles = self.roles
        if roles.true_cvr is not None:
            return self._probability(frame, roles.true_cvr, numbers, "the true CVR")
        name = roles.potential_conversion
        found = self._probability(frame, name, numbers, "the potential conversion")
        if found is None:
            return None
        label: Bools = found == 1
        wrong, what = ~label & (found != 0), "is neither 0 nor 1"
        if not wrong.any():
            wrong, what = click & (label != conversion), "is not what a clicked row recorded"
        if wrong.any():
            raise InputError(
                f"{self.source.name}: the potential conversion {name!r} {what} in "
                f"{_where(wrong, numbers, frame[str(name)])}: mend it, or name a column of "
                f"probabilities with {option('true_cvr')}"
            )
        return label


def columns_of(model: ModelColumns | Scorer) -> tuple[str, ...]:
    """The columns of a log that a model reads."""
    return model.columns if isinstance(model, ModelColumns) else tuple(model.features)


def _rule(column: pl.Series, wrong: Bools) -> str:
    """A rule by which the first value that is no label would be one."""
    value = column.filter(pl.Series(wrong)).first()
    if isinstance(value, str):
        return f"== {value}"
    return "> 0" if value is None or isinstance(value, int | float | Decimal) else "present"


def _where(wrong: Bools, numbers: NDArray[np.int64], column: pl.Series) -> str:
    """How many rows of those at hand are wrong, and the first of them."""
    row = int(np.flatnonzero(wrong)[0])
    count = int(np.count_nonzero(wrong))
    return (
        f"{count:,} of rows {numbers[0] + 1:,} to {numbers[-1] + 1:,}, first in row "
        f"{numbers[row] + 1:,} ({column[row]!r})"
    )
