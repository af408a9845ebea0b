"""Fixtures of the tests of `prepare`."""

import pytest

from helpers.timed_rows import ROLES
from postclick.data.schema import LogSchema


@pytest.fixture
def timed(schema: LogSchema) -> LogSchema:
    """Categorical features with a time and a group; `row` names each row."""
    return LogSchema.parse({**schema.model_dump(mode="json"), **ROLES})
