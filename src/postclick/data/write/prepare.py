"""`prepare`: a raw log to a prepared one, read, checked, encoded and written chunk by chunk."""

import hashlib
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any

from postclick.data import manifest as m
from postclick.data.check.check_log import Progress
from postclick.data.check.columns.extremes import extreme_findings, extreme_vector_findings
from postclick.data.check.columns.labels import BadRows, require_policy
from postclick.data.check.findings import Funnel, in_order
from postclick.data.check.log_checks import LogChecks
from postclick.data.encode.fitting import FeatureFitter
from postclick.data.prepared import PreparedLog
from postclick.data.read.files.text.decimals import as_told
from postclick.data.read.reader import LogReader
from postclick.data.read.splitting.boundaries import Moment
from postclick.data.read.splitting.draw import Draw, by_place
from postclick.data.schema import LogSchema
from postclick.data.splits import LogSplits
from postclick.data.write.division import Division, SplitBy
from postclick.data.write.exposure_counts import TrainedExposure, count_exposures
from postclick.data.write.request import already_made, request_hash, write_request
from postclick.data.write.shards import write_shards
from postclick.data.write.spill import Spill
from postclick.data.write.weight_sums import weight_sums
from postclick.errors import InputError
from postclick.spelling import option
from postclick.system.checksums import file_digest
from postclick.system.files import staged

SHARD_ROWS = 262_144
SPILLED = "spill"  # a folder that is gone at the end


def prepare(
    splits: LogSplits,
    out: str | Path,
    *,
    seed: int = 0,
    valid_fraction: float = 0.1,
    test_fraction: float = 0.25,
    split_by: SplitBy = "random",
    valid_from: Moment | None = None,
    test_from: Moment | None = None,
    purge: str | timedelta | None = None,
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
        split_by: "random" draws rows by a hash of their number; "time" takes the latest rows for
            test and those before them for valid, rows of one time together, for which the time
            column is read once more; "group" draws groups, so that none is in two splits.
        valid_from, test_from: with `split_by="time"`, the first times of the two, instead of
            shares: a date (naive: in UTC) or, as in the column, a number.
        purge: with `split_by="time"`, a duration such as "7d": rows so shortly before valid or
            test that their conversions may come after it are left out of the split before.
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
    out, sources = Path(out), splits.sources()
    schema = as_told(splits.schema, sources.values())
    fractions = {"valid": valid_fraction, "test": test_fraction}
    dates = {"valid": valid_from, "test": test_from}
    division = Division.make(schema, tuple(sources), split_by, fractions, dates, purge)
    _require_options(shard_rows, on_bad_rows, negative_rate)
    shares = division.shares
    draws = {name: Draw(name) for name in sources}
    draws["train"] = division.draw(negative_rate, seed)
    logs = [LogReader(schema, source, draws[name]) for name, source in sources.items()]
    used = [*_sampling(negative_rate), *division.options()]
    options: list[Any] = [shares, seed, shard_rows, on_bad_rows, *used]
    request = request_hash(splits, options)
    if already_made(out, request):
        return PreparedLog(out)
    tell = progress or (lambda stage, done, total: None)
    checks = LogChecks(schema, logs, on_bad_rows, seed)
    names = checks.names()
    names.raise_errors()
    if division.timed:
        assert schema.time is not None
        logs[0].draw = division.with_times(logs[0], schema.time, on_bad_rows)
    fitter = FeatureFitter(schema, seed)
    with staged(out) as folder:
        (folder / SPILLED).mkdir()
        filled = [name for name in m.SPLITS if name in sources or name in shares]
        spills = {name: Spill(folder / SPILLED / name) for name in filled}
        with ExitStack() as open_spills:
            for spill in spills.values():
                open_spills.callback(spill.close)
            for log in logs:
                for chunk in log.chunks():
                    checked = checks.add(log, chunk)
                    coded = fitter.add(checked)
                    for name, rows in by_place(coded).items():
                        spills[name].add(rows)
                    tell("read", checks.rows, None)
        report = checks.report()
        report.raise_errors()
        extremes = extreme_findings(fitter.numbers) + extreme_vector_findings(fitter.vectors)
        found = in_order([*report.findings, *extremes])
        fitted = fitter.result()
        exposure = TrainedExposure.find(schema, fitted.vocabularies)
        fitted.save(folder / m.VOCABULARIES)
        encoder, truth = fitted.encoder, checks.truth()
        written: dict[str, m.Split] = {}
        for name, spill in spills.items():
            shards = write_shards(
                spill,
                encoder,
                folder,
                name,
                truth=truth[name],
                shard_rows=shard_rows,
                seed=seed,
                progress=_progress_of(tell, name, report.funnel),
            )
            spill.path.unlink()
            written[name] = m.Split(
                **asdict(report.funnel[name]),
                shards=shards,
                truth=truth[name],
                weight=weight_sums(folder, shards) if schema.weight else None,
            )
        shutil.rmtree(folder / SPILLED)
        m.Manifest(
            format=m.FORMAT,
            log_schema=schema,
            seed=seed,
            ids=encoder.ids,
            numerics=encoder.numerics,
            bags=encoder.bags,
            vectors=encoder.vectors,
            exposure=count_exposures(exposure, folder, written["train"].shards),
            splits=written,
            findings=tuple(f.to_dict() for f in (*found, *names.findings)),
            notes=splits.notes,
            fingerprint=_fingerprint(schema, seed, written, used),
            negative_rate=negative_rate,
            division=division.record(logs[0].draw.times),
            canonical=True,
            vocabularies={
                path.name: file_digest(path) for path in sorted((folder / m.VOCABULARIES).iterdir())
            },
        ).write(folder)
        write_request(folder, request)
    return PreparedLog(out)


def _require_options(shard_rows: int, on_bad_rows: str, negative_rate: float) -> None:
    if shard_rows < 1:
        raise InputError(f"{option('shard_rows')} is {shard_rows}: give 1 or more")
    require_policy(on_bad_rows)
    if not 0 < negative_rate <= 1:
        raise InputError(
            f"{option('negative_rate')}"
            f" is {negative_rate}: give the share of unclicked training rows to keep, "
            "above 0 and at most 1"
        )


def _progress_of(tell: Progress, split: str, funnel: Mapping[str, Funnel]) -> Callable[[int], None]:
    """Tells of rows of `split` that are written, and of all those before it."""
    total = sum(counts.rows for counts in funnel.values())
    before = sum(funnel[name].rows for name in m.SPLITS[: m.SPLITS.index(split)] if name in funnel)
    return lambda done: tell("write", before + done, total)


def _sampling(negative_rate: float) -> list[str]:
    """Nothing for a log with all its rows, so that hashes of older ones stay what they were."""
    return [f"negative_rate={negative_rate!r}"] if negative_rate < 1 else []


def _fingerprint(
    schema: LogSchema, seed: int, splits: Mapping[str, m.Split], used: Sequence[str]
) -> str:
    shards = [shard.sha256 for split in splits.values() for shard in split.shards]
    shards += used
    return hashlib.sha256("\n".join([schema.to_yaml(), str(seed), *shards]).encode()).hexdigest()
