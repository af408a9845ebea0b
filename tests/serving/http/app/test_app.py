"""The endpoints: answers in both formats, refusals, metrics, the key."""

import io
import json
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from postclick.serving.http.answer import ARROW, JSON, answer_format
from postclick.serving.http.app.service import Service
from postclick.serving.http.body.limits import Limits
from postclick.serving.http.refusal import Refusal
from serving.http.services import (
    CANDIDATES,
    KEY,
    SENT,
    USER,
    client_of,
    fake_of,
    make_service,
    sample,
)


@pytest.fixture
def service(tmp_path: Path) -> Service:
    return make_service(tmp_path, Limits(body_bytes=20_000, candidates=5))


def arrow_body() -> bytes:
    sink = io.BytesIO()
    pl.DataFrame({"age": [30], "history": [["x"]]}).write_ipc_stream(sink)
    pl.DataFrame(CANDIDATES).write_ipc_stream(sink)
    return sink.getvalue()


def test_json_in_and_out(service: Service) -> None:
    answer = client_of(service).post("/score", json=SENT)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == JSON
    assert answer.headers["x-bundle-version"] == "v1"
    assert answer.json() == {
        "version": "v1",
        "method": "fake",
        "pctr": [0.5, 0.5],
        "pcvr": [0.1, 0.2],
        "pctcvr": [0.05, 0.1],
    }


def test_json_digits_are_those_of_float32(tmp_path: Path) -> None:
    service = make_service(tmp_path)
    prices = np.random.default_rng(0).random(200) * np.logspace(-8, 2, 200)
    rows = {"item": ["a"] * 200, "age": [1] * 200, "history": [None] * 200, "price": [*prices]}
    answer = client_of(service).post("/score", json={"rows": rows})
    scored = np.array(answer.json()["pcvr"], dtype=np.float32)
    assert np.array_equal(scored, (prices / 100).astype(np.float32))


def test_arrow_in_and_out(service: Service) -> None:
    answer = client_of(service).post(
        "/score", content=arrow_body(), headers={"content-type": ARROW}
    )
    assert answer.headers["content-type"] == ARROW
    table = pa.ipc.open_stream(answer.content).read_all()
    assert table.schema.metadata == {b"version": b"v1", b"method": b"fake"}
    assert table.schema.types == [pa.float32()] * 3
    assert table["pcvr"].to_pylist() == pytest.approx([0.1, 0.2])


@pytest.mark.parametrize(("sent", "accept"), [(JSON, ARROW), (ARROW, JSON)])
def test_accept_decides_on_the_answer(service: Service, sent: str, accept: str) -> None:
    body = arrow_body() if sent == ARROW else json.dumps(SENT).encode()
    headers = {"content-type": sent, "accept": accept}
    assert client_of(service).post("/score", content=body, headers=headers).headers[
        "content-type"
    ] == (accept)


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, ARROW),
        ("", ARROW),
        ("*/*", ARROW),
        ("application/*;q=0.3", ARROW),
        (f"{JSON}, {ARROW};q=0.9", JSON),
        (f"{JSON};q=0, */*", ARROW),
        (f"{JSON};q=cheap, */*;q=0.1", ARROW),
        ("text/html", None),
        (f"{JSON};q=0", None),
        (f"{JSON};q=nan", None),
    ],
)
def test_accept_is_weighed(accept: str | None, expected: str | None) -> None:
    if expected is None:
        with pytest.raises(Refusal) as caught:
            answer_format(accept, ARROW)
        assert caught.value.status == 406
    else:
        assert answer_format(accept, ARROW) == expected


def test_user_features_are_encoded_once(service: Service) -> None:
    fake = fake_of(service)
    fake.calls.clear()
    client_of(service).post("/score", json=SENT)
    client_of(service).post("/score", json={"rows": [{**USER, **row} for row in CANDIDATES]})
    assert fake.calls == [("candidates", 2), ("rows", 2)]


@pytest.mark.parametrize(
    ("status", "headers", "body", "words"),
    [
        (415, {"content-type": "text/csv"}, b"a,b", "text/csv"),
        (415, {}, b"{}", "no Content-Type"),
        (415, {"content-type": JSON, "content-encoding": "gzip"}, b"{}", "compressed"),
        (406, {"content-type": JSON, "accept": "text/html"}, b"{}", "Accept"),
        (400, {"content-type": JSON}, b"{", "no JSON"),
        (400, {"content-type": ARROW}, b"{}", "Arrow IPC"),
        (413, {"content-type": JSON}, b" " * 20_001, "20,000 bytes"),
        (422, {"content-type": JSON}, b'{"rows":[{"age":1}]}', "'item' is missing"),
        (
            422,
            {"content-type": JSON},
            b'{"rows":[{"age":1,"item":1,"price":"a lot","history":[]}]}',
            "not numbers",
        ),
    ],
)
def test_refusals_are_one_line_of_json(
    service: Service, status: int, headers: dict[str, str], body: bytes, words: str
) -> None:
    answer = client_of(service).post("/score", content=body, headers=headers)
    assert answer.status_code == status
    assert list(answer.json()) == ["error"]
    assert words in answer.json()["error"] and "\n" not in answer.json()["error"]
    assert sample(service, "postclick_requests_total", status=str(status)) == 1


def test_other_paths_and_verbs_are_refused_the_same_way(service: Service) -> None:
    client = client_of(service)
    assert client.get("/nothing").status_code == 404
    assert client.get("/nothing").json() == {"error": "GET /nothing: Not Found"}
    answer = client.get("/score")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST"
    assert list(answer.json()) == ["error"]


def test_metrics_count_requests_rows_and_time(service: Service) -> None:
    client = client_of(service)
    for _ in range(3):
        client.post("/score", json=SENT)
    client.post("/score", json={"rows": []})
    text = client.get("/metrics").text
    for line in (
        'postclick_requests_total{status="200"} 3.0',
        'postclick_requests_total{status="422"} 1.0',
        'postclick_rejected_total{reason="content"} 1.0',
        "postclick_rows_total 6.0",
        "postclick_model_seconds_count 3.0",
        "postclick_request_seconds_count 4.0",
        "postclick_queue_depth 0.0",
        'postclick_bundle_info{method="fake",version="v1"} 1.0',
    ):
        assert f"\n{line}\n" in text
    assert "process_resident_memory_bytes" in text


def test_times_are_in_the_header(service: Service) -> None:
    timing = client_of(service).post("/score", json=SENT).headers["server-timing"]
    times = dict(part.strip().split(";dur=") for part in timing.split(","))
    assert set(times) == {"queue", "model", "work"}
    assert 0 < float(times["model"]) <= float(times["work"])


def test_health_and_readiness(service: Service) -> None:
    client = client_of(service)
    assert client.get("/health").json() == {"status": "alive"}
    ready = client.get("/ready")
    assert ready.status_code == 200
    assert ready.json()["version"] == "v1"
    assert ready.json()["features"] == list(fake_of(service).features)
    service.draining = True
    assert client.get("/ready").status_code == 503
    assert client.get("/health").status_code == 200


@pytest.mark.parametrize("path", ["/score", "/metrics"])
def test_the_key_is_asked_for(tmp_path: Path, path: str) -> None:
    client = client_of(make_service(tmp_path, key=KEY))

    def status(value: str | None) -> int:
        headers = {} if value is None else {"authorization": value}
        if path == "/metrics":
            return client.get(path, headers=headers).status_code
        return client.post(path, json=SENT, headers=headers).status_code

    assert status(f"Bearer {KEY}") == status(f"bearer {KEY}") == 200
    for wrong in (None, "", KEY, f"Basic {KEY}", "Bearer", f"Bearer {KEY}x", f"Bearer {KEY[:-1]}"):
        assert status(wrong) == 401
    assert client.get("/health").status_code == client.get("/ready").status_code == 200


def test_a_key_that_is_no_ascii_is_only_wrong(tmp_path: Path) -> None:
    client = client_of(make_service(tmp_path, key=KEY))
    headers = {b"authorization": "Bearer schlüssel".encode()}
    assert client.get("/metrics", headers=headers).status_code == 401  # type: ignore[arg-type]


def test_a_defect_is_500_without_its_details(
    service: Service, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_rows: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(service.current.bundle, "predict", broken)
    answer = client_of(service).post("/score", json=SENT)
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert "secret detail" in caplog.text


def test_predictions_that_are_no_probabilities_are_not_sent(service: Service) -> None:
    fake_of(service).level = float("nan")
    assert client_of(service).post("/score", json=SENT).status_code == 500
