"""Where pCTR is predicted: at one value of the exposure, or averaged over its values."""

import math
from typing import Any

from postclick.data.encode.vocabulary import Vocabulary
from postclick.data.exposure_values import exposure_values
from postclick.data.manifest import VOCABULARIES
from postclick.data.prepared import PreparedLog
from postclick.data.read.values.exposure_value import exposure_id
from postclick.data.schema import AVERAGE
from postclick.errors import InputError
from postclick.methods.base import Method
from postclick.spelling import option


def predict_at(method: Method[Any], log: PreparedLog, at: str | int) -> None:
    """Have a method predict every row at a value of the exposure, or at "average".

    The exposure that rows have is then not used.

    Args:
        log: any folder with the manifest and the vocabularies, such as the run's.

    Raises:
        InputError: the log has no exposure, or it has no such value.
    """
    found = id_at(log, at)
    for effect in method.exposures():
        effect.at, effect.recorded = found, False


def id_at(log: PreparedLog, at: str | int) -> int | None:
    """The id of a value of the exposure, None for "average".

    Raises:
        InputError: as `predict_at`.
    """
    column = log.manifest.exposure
    if column is None:
        raise InputError(
            f"{option('exposure_at')} is {at}: the run was trained without an exposure: leave it "
            "out, or prepare the log with 'exposure: COLUMN' in its schema"
        )
    known = Vocabulary.load(log.folder / VOCABULARIES, column.name).table["value"]
    return exposure_id(log.manifest.log_schema, str(at), known)


def correct_for_sampling(method: Method[Any], log: PreparedLog, negative_rate: float) -> None:
    """Have a method with an exposure predict for a log that was down-sampled before `prepare`.

    The mean over exposures is one of corrected probabilities, over the impressions that there
    were: neither can be corrected afterwards.

    Args:
        negative_rate: share of the unclicked impressions that came to `prepare`.
    """
    column = log.manifest.exposure
    assert column is not None
    left = negative_rate * log.manifest.negative_rate
    method.ctr_shift = math.log(left)
    values = exposure_values(column, left, log.base_rates.ctr)
    for effect in method.exposures():
        shares = effect.get_buffer("shares")
        shares.copy_(shares.new_tensor(values.shares))


def served_at(method: Method[Any], log: PreparedLog) -> str | None:
    """The value at which a method predicts rows without an exposure, or "average"; None for a
    method that was trained without one."""
    column = log.manifest.exposure
    effects = method.exposures()
    if not effects or column is None:
        return None
    at = effects[0].at
    if at is None:
        return AVERAGE
    known = Vocabulary.load(log.folder / VOCABULARIES, column.name).table["value"]
    return str(known[at - 1])
