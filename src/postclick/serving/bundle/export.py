"""From a run to a bundle: `export`."""

import math
import shutil
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from postclick.data.encode.vocabulary import file_name
from postclick.data.lookup.encoded_rows import Layout
from postclick.data.lookup.encoder import layout_of, vocabulary_sizes
from postclick.data.lookup.row_arrays import batch_of
from postclick.data.manifest import VOCABULARIES
from postclick.data.prepared import PreparedLog
from postclick.errors import InputError
from postclick.methods.base import Method
from postclick.progress import Reporter, Silent
from postclick.runs.exposure_at import correct_for_sampling, predict_at, served_at
from postclick.runs.run import Run
from postclick.serving.bundle.bundle import Bundle
from postclick.serving.bundle.bundle_files import (
    MODEL,
    BundleInfo,
    Output,
    ServedExposure,
    describe_files,
    format_of,
    write_info,
)
from postclick.serving.bundle.column_owners import owners_of
from postclick.serving.bundle.graph import export_graph, require_exporter
from postclick.serving.bundle.onnx_model import OnnxModel
from postclick.serving.bundle.parity import LIMIT, measure_parity, random_rows
from postclick.spelling import option
from postclick.suggest import meant
from postclick.system.files import staged
from postclick.version import __version__


def export(
    run: Run | str | Path,
    out: str | Path,
    *,
    calibrated: bool = True,
    negative_rate: float = 1.0,
    user_features: Sequence[str] = (),
    exposure_at: str | int | None = None,
    reporter: Reporter | None = None,
) -> Bundle:
    """Write a bundle: all that is needed to score raw rows, without torch.

    The exported model is compared with torch before anything takes the name `out`.

    Args:
        run: a finished run, or its folder.
        out: the folder to write; must not exist.
        calibrated: take the calibrator that `calibrate` left in the run, if it did.
        negative_rate: share of unclicked impressions that was left when the log came to
            `prepare`; pCTR is corrected for it. What `prepare` itself left out is known.
        user_features: features that the candidates of a request share. What the first layer makes
            of them, and of their lists, is then computed once for each 512 candidates. Numbers are
            left out where the network projects them together (`numeric: project`).
        exposure_at: for a log with an exposure, the value at which pCTR is served, or "average" for
            its mean over those of the training impressions; by default what the schema says.

    Raises:
        InputError: `out` exists, the packages to export are missing, calibration.json is damaged,
            a user feature or a value of the exposure is unknown, or the exported model predicts
            something else than the run.
    """
    require_exporter()
    if not 0 < negative_rate <= 1:
        raise InputError(
            f"{option('negative_rate')} is {negative_rate}: give a share above 0 and at most 1"
        )
    trained = run if isinstance(run, Run) else Run(run)
    calibrator = trained.calibration if calibrated else None
    reporter = reporter or Silent()
    out = Path(out)
    with _in_place_of(out) as folder:
        log = PreparedLog(trained.folder)
        method, manifest = trained.load(), trained.manifest
        if exposure_at is not None:
            predict_at(method, log, exposure_at)
        if method.exposures():
            correct_for_sampling(method, log, negative_rate)
        layout = layout_of(manifest.ids, manifest.numerics, manifest.bags, manifest.vectors)
        # Projected numbers are one vector of all numbers.
        projected = trained.settings.network.numeric == "project"
        together = {column.source for column in manifest.numerics} if projected else set()
        shared = _shared(layout, user_features, together)
        owners = owners_of(layout, frozenset(shared))
        if len(shared) < len(set(user_features)):
            reporter.line("numbers are projected together: those of the user stay with the others")
        manifest.check_vocabularies(trained.folder)
        reporter.line(f"writing the serving heads of {trained.settings.method} as ONNX")
        prediction = method.predict(
            batch_of(random_rows(log.inputs, layout, 2, np.random.default_rng(0)), log.inputs)
        )
        outputs: tuple[Output, ...] = ("ctr", "cvr")
        if prediction.log_ctcvr is not None:
            outputs += ("log_ctcvr",)
        export_graph(method, log.inputs, owners, outputs, folder / MODEL)
        model = OnnxModel(folder / MODEL, user_features=shared)
        parity = measure_parity(method, log.inputs, layout, model)
        if not parity.largest_difference <= LIMIT:
            raise InputError(
                f"the exported model differs from torch by {parity.largest_difference:.1e} in a "
                f"probability, more than {LIMIT}: nothing was written; this is a defect of "
                "postclick or of the ONNX exporter, please report it"
            )
        for feature, _ in vocabulary_sizes(manifest.ids, manifest.bags):
            (folder / VOCABULARIES).mkdir(exist_ok=True)
            part = Path(VOCABULARIES) / file_name(feature)
            shutil.copyfile(trained.folder / part, folder / part)
        write_info(
            folder,
            BundleInfo(
                format=format_of(manifest),
                created_by=f"postclick {__version__}",
                method=trained.settings.method,
                settings=trained.settings.model_dump(mode="json"),
                data_fingerprint=trained.fingerprint,
                log_schema=manifest.log_schema,
                ids=manifest.ids,
                numerics=manifest.numerics,
                bags=manifest.bags,
                vectors=manifest.vectors,
                outputs=outputs,
                user_features=shared,
                exposure=_exposure_of(method, log),
                calibration=None if calibrator is None else calibrator.to_json(),
                ctr_shift=0.0 if method.exposures() else math.log(negative_rate),
                metrics=trained.metrics,
                parity=parity,
                files=describe_files(folder),
            ),
        )
        Bundle.open(folder, threads=1)
    return Bundle.open(out)


def _exposure_of(method: Method[Any], log: PreparedLog) -> ServedExposure | None:
    column, at = log.manifest.exposure, served_at(method, log)
    return None if column is None or at is None else ServedExposure(column=column.name, at=at)


def _shared(
    layout: Layout, user_features: Sequence[str], together: Collection[str]
) -> tuple[str, ...]:
    """Those that the graph reads apart; none of which a column is `together` with others'."""
    for name in user_features:
        if name not in layout.features:
            have = ", ".join(layout.features)
            raise InputError(
                f"the run has no feature {name!r}{meant(name, layout.features)}"
                f" of the user; it has {have}"
            )
    if user_features and not set(layout.features).difference(user_features):
        raise InputError("every feature is the user's: leave those of the candidates out")
    apart = dict.fromkeys((*layout.ids, *layout.bags, *layout.numerics))
    return tuple(name for name in apart if name in user_features and name not in together)


@contextmanager
def _in_place_of(out: Path) -> Iterator[Path]:
    """A folder to fill, which takes the name `out` when all is there, and else goes away."""
    _refuse(out)
    try:
        with staged(out) as folder:
            yield folder
            _refuse(out)
    except OSError as error:
        raise InputError(f"{out} cannot be written: {error.strerror or error}") from None


def _refuse(out: Path) -> None:
    if not out.name or out.exists() or out.is_symlink():
        raise InputError(f"{out} exists: name another {option('out')}, or remove it")
