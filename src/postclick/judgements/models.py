"""Which models are judged: columns with their predictions, runs, and bundles."""

from collections.abc import Mapping, Sequence
from os.path import exists  # false where a name is too long
from pathlib import Path
from typing import TypeAlias, TypeGuard

from postclick.errors import InputError
from postclick.judging.predicted.columns import KINDS, ModelColumns, find_models, parse_model
from postclick.judging.scorer import ExposureScorer, Scorer
from postclick.serving.opened_scorer import open_scorer
from postclick.spelling import option

Model: TypeAlias = ModelColumns | Scorer
# A folder, columns by what they hold, or what scores rows.
ModelLike: TypeAlias = str | Path | Mapping[str, str] | ModelColumns | Scorer
ModelsLike: TypeAlias = Mapping[str, ModelLike] | Sequence[str | Path]


def models_of(
    given: ModelsLike | None,
    columns: Sequence[str],
    *,
    calibrated: bool = True,
    exposure_at: str | int | None = None,
) -> dict[str, Model]:
    """The models by name, in the order given; by the names of columns where none are.

    Args:
        given: folders of runs and bundles, also as `NAME=FOLDER`; columns as
            `NAME=pctr:COLUMN,pcvr:COLUMN`; or all that as a mapping by name.
        columns: of the log.
        calibrated: whether runs apply the calibrator that they have.
        exposure_at: where those that were trained with an exposure predict pCTR.

    Raises:
        InputError: there is no such column or folder, two models have one name, or none has a
            pCTR at `exposure_at`.

    >>> list(models_of(None, ["pcvr_a", "b_pcvr"]))
    ['a', 'b']
    """
    if given is None or not given:
        found: dict[str, Model] = {one.name: one for one in find_models(columns)}
        return found if exposure_at is None else _predicting_at(exposure_at, found)
    named = given.items() if isinstance(given, Mapping) else (_named(one) for one in given)
    found = {}
    for name, model in named:
        if name in found:
            raise InputError(
                f"two models are called {name!r}: name one otherwise, {option('model')} NAME=..."
            )
        found[name] = _opened(name, model, columns, calibrated)
    return found if exposure_at is None else _predicting_at(exposure_at, found)


def predicts_clicks(model: Model) -> bool:
    """Whether it has a pCTR, as what scores rows always does."""
    return not isinstance(model, ModelColumns) or model.pctr is not None


def with_exposure(models: Mapping[str, Model]) -> list[str]:
    """The names of those whose pCTR can be had at a value of an exposure."""
    return [name for name, one in models.items() if _exposed(one)]


def _exposed(model: Model) -> TypeGuard[ExposureScorer]:
    return isinstance(model, ExposureScorer) and model.log_schema.exposure is not None


def _predicting_at(exposure_at: str | int, models: Mapping[str, Model]) -> dict[str, Model]:
    """The models, those that were trained with an exposure with pCTR at a value of it."""
    if not with_exposure(models):
        raise InputError(
            f"{option('exposure_at')} is {exposure_at}: no model was trained with an exposure: "
            f"leave it out, or name such a run with {option('model')} NAME=FOLDER"
        )
    return {
        name: one.predicting_at(exposure_at) if _exposed(one) else one
        for name, one in models.items()
    }


def _named(text: str | Path) -> tuple[str, ModelLike]:
    """`NAME=FOLDER`, `NAME=pctr:COLUMN,...`, or a folder by its own name."""
    name, equals, rest = (part.strip() for part in str(text).partition("="))
    if not (name and rest if equals else name):
        raise InputError(
            f"{option('model')} {str(text)!r} names no model: give NAME=FOLDER of a run or bundle, "
            "or NAME=pctr:COLUMN,pcvr:COLUMN"
        )
    if not equals:
        return Path(name).resolve().name, name
    if rest.partition(":")[0] in KINDS:
        return name, parse_model(str(text))
    return name, rest


def _opened(name: str, model: ModelLike, columns: Sequence[str], calibrated: bool) -> Model:
    if isinstance(model, str | Path):
        _refuse_columns(name, str(model), columns)
        return open_scorer(model, calibrated=calibrated)
    if isinstance(model, Mapping):
        odd = next((kind for kind in model if kind not in KINDS), None)
        if odd is not None or not model:
            raise InputError(f"model {name!r} has {odd!r}: give columns as {', '.join(KINDS)}")
        model = ModelColumns(name, **model)
    if isinstance(model, ModelColumns):
        lacking = next((column for column in model.columns if column not in columns), None)
        if lacking is not None:
            raise InputError(
                f"model {name!r}: no column {lacking!r} in the log; it has {', '.join(columns)}"
            )
    return model


def _refuse_columns(name: str, text: str, columns: Sequence[str]) -> None:
    """Columns of the log that stand where a folder was meant, of what is not said."""
    parts = [part.strip() for part in text.split(",")]
    if any(part not in columns for part in parts) or exists(text):
        return
    kinds = [kind_of(part) for part in parts]
    if len(set(kinds)) < len(kinds):
        kinds = list(KINDS) if len(kinds) == len(KINDS) else ["pctr", "pcvr", *kinds[2:]]
    told = ",".join(f"{kind}:{part}" for kind, part in zip(kinds, parts, strict=True))
    are = "are columns" if parts[1:] else "is a column"
    called = "NAME" if name == text else name
    raise InputError(
        f"{option('model')} {text!r} {are} of the log, and what it predicts is not said: say "
        f"{option('model')} {called}={told}"
    )


def kind_of(column: str) -> str:
    """What a column most likely predicts, by its name: pCVR unless that says otherwise.

    >>> kind_of("tf_CTR"), kind_of("pctcvr_2"), kind_of("score")
    ('pctr', 'pctcvr', 'pcvr')
    """
    lowered = column.lower()
    if "ctcvr" in lowered:
        return "pctcvr"
    return "pctr" if "ctr" in lowered else "pcvr"
