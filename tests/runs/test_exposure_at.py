"""`evaluate` at recorded exposures, at one value, and averaged; and its command."""

import json

import numpy as np
import pytest

from helpers import commands
from helpers.exposed_log import exposed_log
from helpers.runs import small_settings
from postclick import evaluate, train
from postclick.data.encode.vocabulary import Vocabulary
from postclick.data.prepared import PreparedLog
from postclick.errors import InputError
from postclick.logits import sigmoid
from postclick.runs.run import Run


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> PreparedLog:
    return exposed_log(tmp_path_factory.mktemp("exposed") / "log")


@pytest.fixture(scope="module")
def run(log: PreparedLog) -> Run:
    return train(log, small_settings("esmm"), log.folder.parent / "run")


def kept(run: Run, log: PreparedLog, at: str | int | None) -> dict[str, np.ndarray]:
    run.evaluate(log, "test", keep_predictions=True, exposure_at=at)
    found = run.predictions("test")
    return {name: sigmoid(found[name].to_numpy().astype(np.float64)) for name in found.columns}


def test_recorded_exposures_are_those_of_each_row(log: PreparedLog, run: Run) -> None:
    """Put together from the predictions at each value."""
    recorded, ids = kept(run, log, None), log.rows("test").exposure
    assert ids is not None
    values = [int(v) for v in ("1", "2", "3", "4")]
    at = {value: kept(run, log, value) for value in values}
    names = Vocabulary.load(log.folder / "vocabularies", "slot").table["value"].to_list()
    expected = [at[int(names[k - 1])]["ctr_logit"][row] for row, k in enumerate(ids.tolist())]
    assert recorded["ctr_logit"] == pytest.approx(np.array(expected), abs=1e-6)
    spec = log.inputs.exposure
    assert spec is not None
    shares = dict(zip(names, spec.shares[1:], strict=True))
    mean = sum(shares[str(value)] * at[value]["ctr_logit"] for value in values)
    assert kept(run, log, "average")["ctr_logit"] == pytest.approx(mean, abs=1e-6)
    for found in at.values():
        assert np.array_equal(found["cvr_logit"], recorded["cvr_logit"])


def test_metrics_say_where_pctr_was_judged(log: PreparedLog, run: Run) -> None:
    path = run.folder / "metrics.json"
    plain = evaluate(run, log)
    assert "exposure_at" not in json.loads(path.read_text())["test"]
    served = evaluate(run, log, exposure_at=2)
    assert json.loads(path.read_text())["test"]["exposure_at"] == "2"
    assert plain.value("cvr_auc") == served.value("cvr_auc")
    assert plain.value("ctr_nll") != served.value("ctr_nll")


def test_the_command(log: PreparedLog, run: Run) -> None:
    expected = evaluate(run, log, exposure_at="average").value("ctr_nll")
    arguments = ("evaluate", run.folder, log.folder, "--exposure-at")
    assert f"{expected:.6f}" in commands.succeed(*arguments, "average")
    refused = commands.run(*arguments, "7")
    assert refused.code == 2
    assert "exposure at '7': the training rows have no such value of 'slot'" in refused.err


def test_by_names_the_exposure_among_what_there_is(log: PreparedLog, run: Run) -> None:
    with pytest.raises(InputError, match="there are: shop, user, price, slot"):
        run.evaluate(log, "test", by="place")
