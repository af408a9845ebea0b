"""Every method says what it is, and refuses what it does not know in one line."""

from __future__ import annotations

import inspect
import math
import re
from typing import Any

import pytest

from postclick.errors import InputError
from postclick.methods import BATCH_METHODS, METHODS, find_method
from postclick.nn.backbones import find_backbone

from .helpers import BACKBONES, make_batch, make_method

every_method = pytest.mark.parametrize("name", METHODS)


@every_method
def test_the_class_says_what_it_is(name: str) -> None:
    method = METHODS[name]
    assert method.name == name
    assert name.isidentifier()
    for text in (method.summary, method.reference):
        assert text.strip()
        assert "\n" not in text
    assert re.search(r"\b(19|20)\d\d\b", method.reference)
    # The loss is a pure function: no instance, no network.
    assert isinstance(inspect.getattr_static(method, "terms"), staticmethod)
    assert "L = " in (method.__doc__ or "")
    assert method.Config.__doc__ or not set(method.Config.model_fields)
    for epochs in (1, 2, 10):
        phases = make_method(name).schedule(epochs)
        assert all(phase.epochs >= 1 and phase.steps for phase in phases)
        assert phases[-1].judged
    assert find_backbone(method.backbone).name in BACKBONES


@every_method
def test_wrong_options_are_refused_in_one_line(name: str) -> None:
    config = METHODS[name].Config
    weights = [o for o in config.model_fields if o.endswith("_weight")]
    wrong: list[dict[str, Any]] = [
        {"no_such_option": 1},
        {"preset": "no_such_preset"},
        {"preset": ["released"]},
        *({weight: value} for weight in weights for value in (-1.0, math.inf, math.nan, "a\nb")),
        *(
            {"clip": clip}
            for clip in ((0, 0.5), (0.5, 1), (0.6, 0.4), (0.5, 0.5), (1e-20, 0.5), 3, "x")
            if "clip" in config.model_fields
        ),
    ]
    for options in wrong:
        with pytest.raises(InputError) as caught:
            config.parse(name, options)
        message = str(caught.value)
        assert message.startswith(f"method {name}: ")
        assert next(iter(options)) in message
        assert "\n" not in message
    if name not in BATCH_METHODS:
        return  # its loss has no weights
    with pytest.raises(InputError, match=f"method {name}: every loss weight is 0") as caught:
        method = make_method(name, dict.fromkeys(set(weights) - {"max_weight"}, 0.0))
        method.require_a_loss(make_batch([], []))
    assert "\n" not in str(caught.value)


def test_unknown_methods_and_variants_are_refused_in_one_line() -> None:
    for name in ("", "no_such_method", *(f"{m}/no_such_variant" for m in METHODS)):
        with pytest.raises(InputError, match=r"there (is|are)") as caught:
            find_method(name)
        assert "\n" not in str(caught.value)
    for method in METHODS.values():
        assert find_method(method.name) == (method, {})
        for variant, options in method.variants.items():
            assert find_method(f"{method.name}/{variant}") == (method, options)
