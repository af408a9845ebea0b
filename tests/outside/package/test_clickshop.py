"""The package's own tests, as its authors would write them."""

import numpy as np
from clickshop import references
from clickshop.brier import Brier
from clickshop.focal import Focal
from clickshop.soft import Soft
from clickshop.tower import Tower

from postclick.testing import check_backbone, check_method, check_metric


def test_focal() -> None:
    cases = ({}, {"focus": 0.0}, {"focus": 2.5})
    check_method(Focal, reference=references.focal, reference_cases=cases)


def test_soft() -> None:
    check_method(Soft, reference=references.soft, reference_cases=({}, {"clip": (0.25, 0.7)}))


def test_tower() -> None:
    check_backbone(Tower, options={"wide": 8})


def test_brier() -> None:
    check_metric(Brier, reference=lambda y, p, group: float(np.mean((p - y) ** 2)))
