"""`postclick serve` with a bundle that `export` wrote: the same scores over HTTP as without it."""

import io
import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from helpers.runs import small_settings
from postclick.data.prepared import PreparedLog
from postclick.datasets.simulated import SimulatedLog
from serving.http.processes import PATIENCE, SOURCES

bundles = pytest.importorskip("postclick.serving.bundle.bundle", reason="no onnxruntime")
pytestmark = pytest.mark.slow

ARROW = "application/vnd.apache.arrow.stream"
PREDICTIONS = ("pctr", "pcvr", "pctcvr")
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(SOURCES)}
POSTCLICK = [sys.executable, "-m", "postclick"]


@pytest.fixture(scope="module")
def folder(small_log: PreparedLog, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Bundles one and two, and a symlink to the first."""
    from postclick import train
    from postclick.serving.bundle.export import export

    place = tmp_path_factory.mktemp("real")
    for seed, name in enumerate(("one", "two")):
        run = train(small_log, small_settings("esmm", "epochs=1", seed=seed), place / f"run{seed}")
        export(run, place / name)
    deploy(place, "one")
    return place


def deploy(place: Path, name: str) -> str:
    command = [*POSTCLICK, "deploy", str(place / name), str(place / "current")]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=True)
    return done.stdout


@pytest.fixture
def server(folder: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    command = [*POSTCLICK, "serve", str(folder / "current"), "--port", "0", "--timeout", "20"]
    with subprocess.Popen(command, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        found = re.search(r"http://\S+", process.stderr.readline())
        assert found is not None, process.stderr.read()
        yield process, found[0]
        process.kill()


def ask(address: str, body: bytes, media: str) -> Any:
    request = urllib.request.Request(f"{address}/score", body, {"content-type": media})
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        content = answer.read()
    return json.loads(content) if media != ARROW else pa.ipc.open_stream(content).read_all()


def test_scores_over_http_are_those_of_the_bundle(
    folder: Path, server: tuple[subprocess.Popen[str], str], small_raw: SimulatedLog
) -> None:
    process, address = server
    bundle = bundles.Bundle.open(folder / "one", 1)
    rows = small_raw.test.head(300).select(bundle.features)
    shared = [name for name in bundle.features if "user" in name] or [bundle.features[0]]
    user, candidates = rows[:1].select(shared), rows.drop(shared)
    expected = bundle.score_candidates(user, candidates)

    sent = json.dumps(
        {"user": user.to_dicts()[0], "candidates": candidates.to_dict(as_series=False)}
    )
    by_json = ask(address, sent.encode(), "application/json")
    stream = io.BytesIO()
    user.write_ipc_stream(stream)
    candidates.write_ipc_stream(stream)
    by_arrow = ask(address, stream.getvalue(), ARROW)
    assert by_json["version"] == bundle.version
    for name in PREDICTIONS:
        assert np.array_equal(np.array(by_json[name], np.float32), expected[name].to_numpy())
        assert np.array_equal(by_arrow[name].to_numpy(), expected[name].to_numpy())

    stream = io.BytesIO()
    rows.write_ipc_stream(stream)
    all_own = ask(address, stream.getvalue(), ARROW)
    np.testing.assert_allclose(
        all_own["pctcvr"].to_numpy(), bundle.score(rows)["pctcvr"].to_numpy(), rtol=1e-6
    )
    maps = Path(f"/proc/{process.pid}/maps")
    if maps.exists():
        assert "onnxruntime" in maps.read_text()
        assert "libtorch" not in maps.read_text()


def test_deploy_and_sighup_swap_it_and_sigterm_ends_it(
    folder: Path, server: tuple[subprocess.Popen[str], str], small_raw: SimulatedLog
) -> None:
    process, address = server
    assert process.stderr is not None
    first, second = (bundles.Bundle.open(folder / name, 1) for name in ("one", "two"))
    sent = {"rows": small_raw.test.head(2).select(first.features).to_dicts()}
    body = json.dumps(sent).encode()
    assert ask(address, body, "application/json")["version"] == first.version
    assert second.version in deploy(folder, "two")
    process.send_signal(signal.SIGHUP)
    assert f"swapped: version {second.version}" in process.stderr.readline()
    assert ask(address, body, "application/json")["version"] == second.version
    (folder / "broken").mkdir()
    done = subprocess.run(
        [*POSTCLICK, "deploy", str(folder / "broken"), str(folder / "current")],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert (folder / "current").resolve() == folder / "two"
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE) == 0
    deploy(folder, "one")
