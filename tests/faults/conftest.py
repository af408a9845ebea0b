"""What the commands read, made anew for each module: its tests write beside it."""

import pytest

from faults.cases import Inputs, make_inputs


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    folder = tmp_path_factory.mktemp("faults") / "inputs"
    folder.mkdir()
    return make_inputs(folder)
