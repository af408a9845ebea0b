"""An object store for the tests of reading."""

from collections.abc import Iterator
from importlib.util import find_spec

import pytest

from helpers.object_store import ObjectStore, object_store


@pytest.fixture(scope="session")
def store() -> Iterator[ObjectStore]:
    """Skips where moto or boto3 is not installed."""
    for package in ("moto", "boto3", "flask"):
        if find_spec(package) is None:
            pytest.skip(f"{package} is not installed: pip install 'postclick[dev]'")
    with object_store() as opened:
        yield opened
