"""Methods that can be trained here: some need a package that may not be installed."""

import pytest

from postclick.methods import METHODS, FittedMethod

# By name, for `pytest.mark.parametrize`; those that cannot be trained are skipped.
TRAINABLE = [
    pytest.param(
        name,
        marks=pytest.mark.skipif(
            issubclass(method, FittedMethod) and not method.can_fit(),
            reason=f"{name} needs {getattr(method, 'requires', None)}, which is not installed",
        ),
    )
    for name, method in METHODS.items()
]
