"""`prepare`: a raw log to a prepared one."""

import hashlib
import json
import shutil
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, get_args

from postclick.data import manifest as m
from postclick.data.check.check_log import Progress
from postclick.data.check.columns import name_findings
from postclick.data.check.findings import CheckReport, in_order
from postclick.data.encode.vocabulary import FOLDER
from postclick.data.prepared import PreparedLog
from postclick.data.read.canonical import stored_names
from postclick.data.read.opening import LogSource
from postclick.data.read.row_numbers import BadRows
from postclick.data.schema import LogSchema
from postclick.data.splits import LogSplits
from postclick.data.write.ingest import Ingested, ingest
from postclick.data.write.request import REQUEST, already_made, request_hash
from postclick.data.write.shuffle import write_shards
from postclick.errors import InputError
from postclick.system.checksums import file_digest
from postclick.system.files import staged

SHARD_ROWS = 262_144


def prepare(
    splits: LogSplits,
    out: str | Path,
    *,
    seed: int = 0,
    valid_fraction: float = 0.1,
    test_fraction: float = 0.25,
    shard_rows: int = SHARD_ROWS,
    on_bad_rows: BadRows = "error",
    negative_rate: float = 1.0,
    progress: Progress | None = None,
) -> PreparedLog:
    """Check a log, fit vocabularies and scales on its training rows, and write it as shards.

    Each raw log is read once. The same logs, options and seed give the same bytes. `out` appears
    when all is done; if it holds the result of the same request already, that is returned.

    Args:
        splits: schema and raw logs; a missing valid or test split is drawn from the rows of
            train, and nothing is fitted on the rows drawn.
        valid_fraction, test_fraction: share of the rows of train that is drawn, 0 for none.
        shard_rows: rows of a shard, about; memory holds a few shards.
        on_bad_rows: with wrong labels, "error" refuses the log, "drop" leaves those rows out,
            "keep" keeps conversions without a click as rows without a conversion.
        negative_rate: probability with which an unclicked row of the training split is kept;
            clicked rows and the other splits stay whole. Runs on such a log predict for the log
            as it was: see `Method.ctr_shift`.
        progress: called with a stage, rows done and rows in all (None: unknown).

    Raises:
        InputError: an option or the log is wrong, or `out` is in the way.

    >>> import tempfile
    >>> import numpy as np, polars as pl
    >>> from postclick.data.read.log_source import FrameSource
    >>> n = np.arange(2000)
    >>> log = pl.DataFrame({"shop": n % 7, "click": n % 3 == 0, "buy": n % 9 == 0})
    >>> schema = LogSchema.parse({"click": "click", "conversion": "buy", "categorical": ["shop"]})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     prepared = prepare(LogSplits(schema, FrameSource(log)), folder + "/data", seed=1)
    ...     prepared.inputs.field_sizes, [prepared.split(s).rows for s in prepared.manifest.splits]
    ((8,), [1291, 196, 513])
    """
    shares = _shares(splits, valid_fraction, test_fraction)
    if shard_rows < 1:
        raise InputError(f"shard_rows is {shard_rows}: give 1 or more")
    if on_bad_rows not in get_args(BadRows):
        raise InputError(f"on_bad_rows is {on_bad_rows!r}: choose error, drop or keep")
    if not 0 < negative_rate <= 1:
        raise InputError(
            f"negative_rate is {negative_rate}: give the share of unclicked training rows to keep, "
            "above 0 and at most 1"
        )
    schema, out = splits.schema, Path(out)
    stored_names(schema)
    given = {"train": splits.train, "valid": splits.valid, "test": splits.test}
    sources = {name: source for name, source in given.items() if source is not None}
    options: list[Any] = [shares, seed, shard_rows, on_bad_rows]
    options += _sampling(negative_rate)
    request = _request(splits, sources, options)
    if already_made(out, request):
        return PreparedLog(out)
    names = CheckReport(in_order(name_findings(schema, sources)), {})
    names.raise_errors()
    tell = progress or (lambda stage, done, total: None)
    with staged(out) as folder:
        spilled = folder / "spill"
        log = ingest(
            schema,
            sources,
            shares,
            spilled,
            seed=seed,
            on_bad_rows=on_bad_rows,
            negative_rate=negative_rate,
            progress=tell,
        )
        written = _write(log, folder, shard_rows, seed, tell)
        shutil.rmtree(spilled)
        log.fitted.save(folder / FOLDER)
        encoder = log.fitted.encoder
        m.Manifest(
            format=m.FORMAT,
            log_schema=schema,
            seed=seed,
            ids=encoder.ids,
            numerics=encoder.numerics,
            bags=encoder.bags,
            splits=written,
            findings=tuple(f.to_dict() for f in (*log.report.findings, *names.findings)),
            notes=splits.notes,
            fingerprint=_fingerprint(schema, seed, written, negative_rate),
            negative_rate=negative_rate,
            vocabularies={
                path.name: file_digest(path) for path in sorted((folder / FOLDER).iterdir())
            },
        ).write(folder)
        text = json.dumps({"request": request}, indent=1)
        (folder / REQUEST).write_text(text + "\n", encoding="utf-8")
    return PreparedLog(out)


def _write(
    log: Ingested,
    folder: Path,
    shard_rows: int,
    seed: int,
    tell: Progress,
) -> dict[str, m.Split]:
    total = sum(spill.rows for spill in log.spills.values())
    written: dict[str, m.Split] = {}
    for name, spill in log.spills.items():
        before = sum(split.rows for split in written.values())
        shards = write_shards(
            spill,
            log.fitted.encoder,
            folder,
            name,
            truth=log.truth[name],
            shard_rows=shard_rows,
            seed=seed,
            progress=partial(_tell_from, tell, before, total),
        )
        spill.path.unlink()
        funnel = log.report.funnel[name]
        written[name] = m.Split(
            rows=funnel.rows,
            clicks=funnel.clicks,
            conversions=funnel.conversions,
            shards=shards,
            truth=log.truth[name],
        )
    return written


def _tell_from(tell: Progress, before: int, total: int, done: int) -> None:
    tell("write", before + done, total)


def _shares(splits: LogSplits, valid: float, test: float) -> dict[str, float]:
    """The splits to be drawn from train, each with its share of the rows."""
    asked = (("valid", splits.valid, valid), ("test", splits.test, test))
    for name, _, share in asked:
        if not 0 <= share < 1:
            raise InputError(f"{name}_fraction is {share}: give a share of the rows in [0, 1)")
    shares = {name: share for name, source, share in asked if source is None and share > 0}
    if sum(shares.values()) >= 1:
        raise InputError("valid_fraction and test_fraction leave no row to train on: lower them")
    return shares


def _request(splits: LogSplits, sources: Mapping[str, LogSource], options: list[Any]) -> str | None:
    """Hash of all that decides the result, None if a log cannot say whether it changed."""
    states = {name: source.state() for name, source in sources.items()}
    if None in states.values():
        return None
    schema = splits.schema.model_dump(mode="json")
    return request_hash(
        {
            "format": m.FORMAT,
            "schema": schema,
            "logs": states,
            "options": options,
            "notes": splits.notes,
        }
    )


def _sampling(negative_rate: float) -> list[str]:
    """Nothing for a log with all its rows, so that hashes of older ones stay what they were."""
    return [f"negative_rate={negative_rate!r}"] if negative_rate < 1 else []


def _fingerprint(
    schema: LogSchema, seed: int, splits: Mapping[str, m.Split], negative_rate: float
) -> str:
    shards = [shard.sha256 for split in splits.values() for shard in split.shards]
    shards += _sampling(negative_rate)
    return hashlib.sha256("\n".join([schema.to_yaml(), str(seed), *shards]).encode()).hexdigest()
