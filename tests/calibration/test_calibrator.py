"""Calibrators: monotone, finite, exact through JSON, and strict about what they are read from."""

import json
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from postclick.calibration import Calibrator
from postclick.errors import InputError

ISOTONIC = Calibrator("isotonic", logit=(-3.0, -1.0, 2.0), calibrated=(-4.0, -4.0, 1.5))
EXAMPLES = [
    Calibrator("none"),
    Calibrator("temperature", slope=0.7),
    Calibrator("platt", slope=1e-3, intercept=-2.5),
    Calibrator("platt", slope=500.0, intercept=1e5),
    ISOTONIC,
    Calibrator("isotonic", logit=(0.5,), calibrated=(-1.0,)),
]
finite = st.floats(allow_nan=False, allow_infinity=False)


@pytest.mark.parametrize("calibrator", EXAMPLES, ids=lambda c: c.kind)
@given(logits=st.lists(finite, max_size=20))
def test_it_is_monotone_and_finite_for_finite_logits(
    calibrator: Calibrator, logits: list[float]
) -> None:
    found = calibrator.apply(np.sort(np.array(logits, dtype=np.float64)))
    assert found.dtype == np.float64 and found.shape == (len(logits),)
    assert np.isfinite(found).all()
    assert (np.diff(found) >= 0).all()


@pytest.mark.parametrize("calibrator", EXAMPLES, ids=lambda c: c.kind)
def test_json_brings_the_same_calibrator_back(calibrator: Calibrator) -> None:
    again = Calibrator.from_json(json.loads(json.dumps(calibrator.to_json(), allow_nan=False)))
    z = np.linspace(-9, 9, 77)
    assert again.kind == calibrator.kind
    np.testing.assert_allclose(again.apply(z), calibrator.apply(z), rtol=1e-15)


def test_what_each_kind_does() -> None:
    z = np.array([-3.5, -2.0, 0.5, 8.0])
    assert Calibrator("none").apply(z).tolist() == z.tolist()
    assert Calibrator("temperature", slope=2.0).apply(z).tolist() == [-7.0, -4.0, 1.0, 16.0]
    assert Calibrator("platt", slope=2.0, intercept=1.0).apply(z).tolist() == [-6, -3, 2, 17]
    # Constant beyond the ends, a straight line between knots.
    assert ISOTONIC.apply(z).tolist() == [-4.0, -4.0, -1.25, 1.5]
    assert ISOTONIC.apply(np.zeros((2, 3))).shape == (2, 3)
    assert ISOTONIC.apply(np.float32([-3])).dtype == np.float64


BAD: list[tuple[Any, str]] = [
    ([], "found list, not an object"),
    ({}, "kind None (did you mean 'none'?) is not one of none, temperature, platt, isotonic"),
    ({"kind": "beta"}, "kind 'beta' is not one of"),
    ({"kind": "none", "slope": 1.0}, "'slope' is no parameter of none"),
    ({"kind": "platt", "slope": 1.0}, "'intercept' is missing"),
    ({"kind": "platt", "slope": "1", "intercept": 0.0}, "'slope' holds '1', not a number"),
    ({"kind": "platt", "slope": True, "intercept": 0.0}, "'slope' holds True, not a number"),
    ({"kind": "platt", "slope": -1.0, "intercept": 0.0}, "slope -1 would turn the ranking over"),
    ({"kind": "platt", "slope": 1.0, "intercept": float("nan")}, "a parameter is NaN or infinite"),
    ({"kind": "temperature", "temperature": 0}, "temperature 0 is not above 0"),
    ({"kind": "temperature", "temperature": float("nan")}, "temperature nan is not above 0"),
    ({"kind": "temperature", "temperature": float("inf")}, "slope 0 would turn"),
    ({"kind": "isotonic", "logit": [], "calibrated": []}, "isotonic without knots"),
    ({"kind": "isotonic", "logit": [0, 1], "calibrated": [0]}, "2 logits, but 1 calibrated"),
    ({"kind": "isotonic", "logit": [0, 0], "calibrated": [0, 1]}, "knots do not increase"),
    ({"kind": "isotonic", "logit": [0, 1], "calibrated": [1, 0]}, "calibrated logits decrease"),
    ({"kind": "isotonic", "logit": "01", "calibrated": [1, 0]}, "'logit' is not a list"),
]


@pytest.mark.parametrize(("data", "message"), BAD)
def test_what_is_wrong_is_named(data: Any, message: str) -> None:
    with pytest.raises(InputError) as caught:
        Calibrator.from_json(data)
    text = str(caught.value)
    assert message in text
    assert text.startswith("calibrator: ") and text.endswith(": run 'postclick calibrate'")


def test_a_scorer_needs_numpy_alone() -> None:
    code = (
        "import sys; from postclick.calibration import Calibrator\n"
        "Calibrator.from_json({'kind': 'temperature', 'temperature': 2}).apply([1.0])\n"
        "print(*sorted({m.partition('.')[0] for m in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {"torch", "scipy", "sklearn", "polars", "pydantic"}.isdisjoint(done.stdout.split())
