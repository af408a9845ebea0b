"""From settings to a method with fresh weights."""

import math
from typing import Any

import torch

from postclick.data.prepared import PreparedLog
from postclick.methods import find_method
from postclick.methods.base import Method
from postclick.runs.members import member_settings
from postclick.runs.settings import RunSettings


def build_method(
    settings: RunSettings, log: PreparedLog, kind: type[Method[Any]] | None = None
) -> Method[Any]:
    """A method with fresh weights, the same for the same seed.

    Args:
        kind: a class that is built in place of the method's own.

    Raises:
        InputError: settings of a member of it cannot be.
    """
    member_settings(settings)  # refuses what methods know nothing of
    torch.manual_seed(settings.seed)
    known, _ = find_method(settings.method)
    dim = settings.network.embedding_dim or log.manifest.log_schema.embedding_dim
    method = (kind or known)(
        settings.method_config, settings.network, log.inputs, log.base_rates, dim
    )
    method.ctr_shift = math.log(log.manifest.negative_rate)
    return method
