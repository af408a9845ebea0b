"""Prepared from one format and scored from another: the same, or a refusal that names a column."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from postclick.data.encode.fitting import FeatureFitter, Fitted
from postclick.data.lookup.encoded_rows import BagRows, EncodedRows
from postclick.data.lookup.encoder import ServingEncoder
from postclick.data.manifest import VOCABULARIES, WEIGHTS_SUFFIX
from postclick.data.read.canonical import ROW, SPLIT, Canonicalizer, Issues
from postclick.data.schema import LogSchema
from postclick.errors import InputError
from postclick.serving.http.body.user_and_rows import UserAndRows
from postclick.serving.http.refusal import Refusal
from representations.formats import FORMATS, Written
from representations.logical import LogicalLog, draw_log, identity


@dataclass
class Tally:
    """How pairs of formats went."""

    logs: int = 0
    tried: Counter[tuple[str, str]] = field(default_factory=Counter)
    equal: Counter[tuple[str, str]] = field(default_factory=Counter)
    refused: Counter[tuple[str, str]] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    columns: Counter[str] = field(default_factory=Counter)

    def add(self, other: "Tally") -> None:
        self.logs += other.logs
        for name in ("tried", "equal", "refused", "reasons", "columns"):
            getattr(self, name).update(getattr(other, name))


@dataclass
class Trained:
    """A log prepared from one format, as far as a model needs it."""

    canonical: pl.DataFrame
    encoded: pl.DataFrame
    fitted: Fitted
    serving: ServingEncoder


class Different(AssertionError):
    """Two representations of one log are not read as one."""


def train(log: LogicalLog, schema: LogSchema, written: Written, folder: Path) -> Trained:
    """Read, fit, code and save, as `prepare` does, and open what was saved, as serving does."""
    assert written.source is not None
    source = written.source()
    canonical = Canonicalizer(schema, source.columns)
    issues = Issues()
    frames = [canonical.convert(frame, issues) for frame in source.frames(canonical.reads)]
    frame = pl.concat(frames)
    wrong = {k: issues.examples[k] for k in issues.rows if k[0] not in ("no-number", "same-number")}
    if wrong:
        raise Different(f"bad values {wrong}")
    places = {ROW: np.arange(frame.height), SPLIT: np.zeros(frame.height, np.uint8)}
    fitter = FeatureFitter(schema, seed=0)
    coded = fitter.add(frame.with_columns(**{k: pl.Series(v) for k, v in places.items()}))
    fitted = fitter.result()
    fitted.save(folder / VOCABULARIES)
    encoder = fitted.encoder
    serving = ServingEncoder(
        schema, encoder.ids, encoder.numerics, encoder.bags, folder / VOCABULARIES
    )
    return Trained(frame, encoder.encode(coded), fitted, serving)


def check_meaning(log: LogicalLog, trained: Trained) -> None:
    """Ids are the same where values are, and 0 where they are missing; labels are as drawn."""
    encoded = trained.encoded
    for kind in log.kinds:
        meant = log.columns[kind.name]
        if kind.role in ("categorical", "verbatim"):
            _require_grouping(kind.name, encoded[kind.name].to_list(), list(map(identity, meant)))
        elif kind.role in ("ids", "weighted"):
            cut = 3 if kind.role == "weighted" else None
            lists = [(value or [])[:cut] for value in meant]
            found = encoded[kind.name].to_list()
            if list(map(len, found)) != list(map(len, lists)):
                raise Different(f"{kind.name}: lists of other lengths: {found} for {lists}")
            items = [identity(item) for value in lists for item in value]
            _require_grouping(kind.name, [i for value in found for i in value], items)
    if encoded["click"].to_list() != log.click:
        raise Different("click is another")
    if encoded["conversion"].to_list() != [v or 0 for v in log.conversion]:
        raise Different("conversion is another")


def _require_grouping(name: str, ids: Sequence[int], meant: Sequence[Any]) -> None:
    of_value: dict[Any, int] = {}
    for found, value in zip(ids, meant, strict=True):
        if (value is None) != (found == 0):
            raise Different(f"{name}: {value} has id {found}")
        if of_value.setdefault(value, found) != found:
            raise Different(f"{name}: {value} has ids {of_value[value]} and {found}")
    if len(set(of_value.values())) < len(of_value):
        raise Different(f"{name}: different values share an id: {of_value}")


def score(trained: Trained, parts: list[UserAndRows]) -> list[EncodedRows]:
    """The arrays that a model would read, in pieces."""
    serving = trained.serving
    found = []
    for sent in parts:
        if sent.user is None:
            found.append(serving.encode(sent.rows))
            continue
        have = set(sent.user.names)
        theirs = [f for f, needs in serving.columns.items() if have.issuperset(needs)]
        user = serving.encode(sent.user, theirs)
        rest = [f for f in serving.columns if f not in theirs]
        found.append(user.beside(serving.encode(sent.rows, rest)))
    return found


def require_same(trained: Trained, pieces: list[EncodedRows]) -> None:
    """Raise where the arrays of scoring differ from those of preparing."""
    encoder, encoded = trained.fitted.encoder, trained.encoded
    names = [column.name for column in encoder.ids]
    ids = np.concatenate([piece.ids for piece in pieces])
    for k, name in enumerate(names):
        _require_equal(name, encoded[name].to_numpy(), ids[:, k])
    numeric = np.concatenate([piece.numeric for piece in pieces])
    for k, column in enumerate(encoder.numerics):
        _require_equal(column.name, encoded[column.name].to_numpy(), numeric[:, k])
    for k, bag in enumerate(encoder.bags):
        lists, weights = [], []
        for piece in pieces:
            rows = piece.bags[k]
            ids_of, weights_of = rows.padded(0, len(rows))
            if isinstance(rows, BagRows):
                lengths = np.diff(rows.offsets)
            else:
                lengths = np.full(len(rows), len(rows.one.values))
            lists += [r[:n].tolist() for r, n in zip(ids_of, lengths, strict=True)]
            weights += [r[:n].tolist() for r, n in zip(weights_of, lengths, strict=True)]
        if lists != encoded[bag.name].to_list():
            raise Different(f"{bag.name}: {lists} where {encoded[bag.name].to_list()} was prepared")
        if bag.weighted and weights != encoded[bag.name + WEIGHTS_SUFFIX].to_list():
            raise Different(f"{bag.name}: other weights")


def _require_equal(name: str, prepared: Any, scored: Any) -> None:
    if not np.array_equal(prepared, scored):
        row = int(np.flatnonzero(prepared != scored)[0])
        raise Different(f"{name}, row {row}: {scored[row]} where {prepared[row]} was prepared")


def try_log(seed: int, folder: Path, formats: int = 4) -> Tally:
    """Write the log of a seed in some formats, and try all pairs of them.

    Raises:
        Different: a pair is neither equal nor refused with the name of a column.
    """
    log = draw_log(seed)
    schema = LogSchema.parse(log.schema())
    rng = np.random.default_rng([seed, 1])
    names = list(FORMATS)
    chosen = [names[k] for k in sorted(rng.permutation(len(names))[:formats])]
    written: dict[str, Written] = {}
    tally = Tally(logs=1)
    for name in chosen:
        place = folder / name.replace(" ", "-")
        place.mkdir(parents=True, exist_ok=True)
        written[name] = FORMATS[name](
            log, np.random.default_rng([seed, 2, names.index(name)]), place
        )
        for column, how in written[name].kinds.items():
            kind = next((k.name for k in log.kinds if k.name == column), "other")
            tally.columns[f"{kind}: {how}"] += 1
    first: tuple[str, pl.DataFrame] | None = None
    features = [*log.columns, *(f"{name} w" for name in log.weights)]
    read: dict[str, list[UserAndRows] | Exception] = {}
    for name in chosen:
        try:
            read[name] = written[name].parts(features)
        except (InputError, Refusal) as error:
            read[name] = error
    for name in chosen:
        if written[name].source is None:
            continue
        where = f"seed {seed}, from {name} {written[name].kinds}"
        refused = ""
        try:
            trained = train(log, schema, written[name], folder / name.replace(" ", "-"))
            check_meaning(log, trained)
        except InputError as error:
            refused = _named(error, log, where)
        except Different as error:
            raise Different(f"{where}: {error}") from None
        if not refused:
            if first is None:
                first = name, trained.canonical
            elif not trained.canonical.equals(first[1]):
                other = f"{first[0]} {written[first[0]].kinds}"
                odd = [c for c in first[1].columns if not _same(trained.canonical, first[1], c)]
                a, b = (f[odd].to_dict(as_series=False) for f in (trained.canonical, first[1]))
                raise Different(f"{where}, canonical frame from {other} differs: {a}, {b}")
        for to in chosen:
            pair = name, to
            tally.tried[pair] += 1
            here = f"{where}, to {to} {written[to].kinds}"
            try:
                if refused:
                    tally.refused[pair] += 1
                    tally.reasons[refused] += 1
                    continue
                parts = read[to]
                if isinstance(parts, Exception):
                    raise parts
                require_same(trained, score(trained, parts))
                tally.equal[pair] += 1
            except (InputError, Refusal) as error:
                tally.refused[pair] += 1
                tally.reasons[_named(error, log, here)] += 1
            except Different as error:
                raise Different(f"{here}: {error}") from None
    return tally


def _same(one: pl.DataFrame, other: pl.DataFrame, name: str) -> bool:
    return name in one.columns and one[name].equals(other[name])


def _named(error: Exception, log: LogicalLog, where: str) -> str:
    """The refusal without the name of the column, which it has to have."""
    message = str(error)
    names = [*log.columns, *(f"{name} w" for name in log.weights), "click", "conversion"]
    name = next((name for name in names if f"'{name}'" in message), None)
    if name is None:
        raise Different(f"{where}: a refusal without a column: {message}") from error
    return message.replace(f"'{name}'", "...").split(":")[0][:100]
