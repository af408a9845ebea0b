"""How `prepare` divides a log: its options, checked, and the `Draw` that they ask for."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Literal, get_args

from postclick.data import manifest as m
from postclick.data.check.columns.labels import BadRows
from postclick.data.check.columns.times import require_times
from postclick.data.read.reader import LogReader
from postclick.data.read.splitting.boundaries import Boundaries, Moment, find_boundaries
from postclick.data.read.splitting.draw import Draw
from postclick.data.read.splitting.durations import duration_micros, duration_text
from postclick.data.schema import LogSchema
from postclick.errors import InputError
from postclick.spelling import option
from postclick.suggest import meant

SplitBy = Literal["random", "time", "group"]


@dataclass(frozen=True)
class Division:
    """The rule by which splits are drawn from train.

    Attributes:
        by: "random", "time" or "group".
        shares: the splits to draw, each with its share of the rows (by group: of the groups).
        dates: first times of those splits that have one, instead of a share.
        purge: microseconds before each boundary that the earlier split leaves out.
    """

    by: SplitBy
    shares: Mapping[str, float]
    dates: Mapping[str, Moment]
    purge: int

    @classmethod
    def make(
        cls,
        schema: LogSchema,
        given: Collection[str],
        by: SplitBy,
        fractions: Mapping[str, float],
        dates: Mapping[str, Moment | None],
        purge: str | timedelta | None,
    ) -> "Division":
        """Check the options; splits in `given` have logs of their own.

        Raises:
            InputError: they are wrong, do not go together, or the schema lacks the column.
        """
        if by not in get_args(SplitBy):
            near = meant(by, get_args(SplitBy))
            raise InputError(f"{option('split_by')} is {by!r}{near}: choose random, time or group")
        for role, column in (("time", schema.time), ("group", schema.group)):
            if by == role and column is None:
                raise InputError(
                    f"{option('split_by')} {role}: the schema names no {role}: add "
                    f"'{role}: COLUMN' to it"
                )
        known = {split: moment for split, moment in dates.items() if moment is not None}
        timed = [f"{split}_from" for split in known] + ([] if purge is None else ["purge"])
        if timed and by != "time":
            raise InputError(
                f"{option(timed[0])} is for splits by time: add {option('split_by', 'time')}, or "
                "leave it out"
            )
        for split in known:
            if split in given:
                raise InputError(
                    f"{split} has a log of its own: leave {option(split + '_from')} out"
                )
        wanted = {**fractions, **dict.fromkeys(known, 0.0)}
        shares = _drawn(given, wanted, known)
        if purge is not None and not shares:
            raise InputError(
                f"{option('purge')}: no split is drawn from train, so that none has a boundary: "
                "leave it out"
            )
        micros = 0 if purge is None else duration_micros(purge, "purge")
        return cls(by, shares, known, micros)

    def draw(self, negative_rate: float, seed: int) -> Draw:
        """How the rows of train are divided; by time, `with_times` is needed beside it."""
        return Draw(
            "train", self.shares, negative_rate, seed, self.by == "group" and bool(self.shares)
        )

    @property
    def timed(self) -> bool:
        """Whether boundaries in time have to be found."""
        return self.by == "time" and bool(self.shares)

    def with_times(self, log: LogReader, column: str, policy: BadRows) -> Draw:
        """The draw of `log` with boundaries, for which its time column is read.

        Raises:
            InputError: the column cannot be split by, or a split would be empty.
        """
        counts = log.count_times()
        require_times(column, counts, policy)
        times = find_boundaries(counts, column, self.shares, self.dates, self.purge)
        return replace(log.draw, times=times)

    def options(self) -> list[str]:
        """Nothing for random splits, so that hashes of older logs stay what they were."""
        if self.by == "random" or not self.shares:
            return []
        dates = [f"{split}_from={_plain(moment)}" for split, moment in self.dates.items()]
        purge = [f"purge={duration_text(self.purge)}"] if self.purge else []
        return [f"split_by={self.by}", *dates, *purge]

    def record(self, times: Boundaries | None) -> m.Division | None:
        """What the manifest says, nothing for random splits."""
        if not self.options():
            return None
        starts = {} if times is None else {name: times.text(name) for name in times.starts}
        purge = duration_text(self.purge) if self.purge else None
        by: Literal["time", "group"] = "time" if self.by == "time" else "group"
        return m.Division(by=by, starts=starts, purge=purge)


def _plain(moment: Moment) -> str:
    return moment.isoformat() if isinstance(moment, date) else str(moment)


def _drawn(
    given: Collection[str], fractions: Mapping[str, float], dated: Collection[str]
) -> dict[str, float]:
    """The splits to be drawn from train, those not given, each with its share of the rows."""
    for name, share in fractions.items():
        if not 0 <= share < 1:
            raise InputError(
                f"{option(name + '_fraction')} is {share}: give a share of the rows in [0, 1)"
            )
    shares = {
        name: share
        for name, share in fractions.items()
        if name not in given and (share > 0 or name in dated)
    }
    if sum(shares.values()) >= 1:
        both = f"{option('valid_fraction')} and {option('test_fraction')}"
        raise InputError(f"{both} leave no row to train on: lower them")
    return shares
