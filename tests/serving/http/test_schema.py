"""Requests drawn from the OpenAPI document and at random: none is answered with 5xx."""

import warnings
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from postclick.serving.http.app.app import build_app
from postclick.serving.http.app.service import Service
from postclick.serving.http.body.limits import Limits
from serving.http.fake import FEATURES
from serving.http.services import client_of, make_service

LIMITS = Limits(candidates=20, columns=20)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Service:
    return make_service(tmp_path_factory.mktemp("schema"), LIMITS)


def drawn(examples: int) -> Any:
    """The same examples in every run."""
    checks = list(HealthCheck)
    fixed = {"deadline": None, "database": None, "phases": [Phase.generate]}
    return settings(max_examples=examples, suppress_health_check=checks, **fixed)  # type: ignore[arg-type]


@pytest.mark.slow
def test_no_request_of_the_schema_fails(service: Service) -> None:
    """Statuses, media types and contents are also those that the document promises."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the libraries that it loads
        schemathesis = pytest.importorskip("schemathesis", reason="no schemathesis")
        from schemathesis.specs.openapi.checks import positive_data_acceptance
    schema = schemathesis.openapi.from_asgi("/openapi.json", build_app(service))
    asked: dict[str, set[int]] = {}

    def check(case: Any) -> None:
        # Which columns a bundle needs, and of what type, no schema says.
        answer = case.call_and_validate(excluded_checks=[positive_data_acceptance])
        asked.setdefault(case.path, set()).add(answer.status_code)

    for operation in schema.get_all_operations():
        cases = operation.ok().as_strategy()
        seed(0)(drawn(60)(given(cases)(check)))()
    assert set(asked) == {"/score", "/health", "/ready", "/metrics"}
    assert 422 in asked["/score"] and asked["/health"] == {200}


FLOATS = st.floats(allow_nan=False, allow_infinity=False)
TEXT = st.text(max_size=9)
SCALARS = st.none() | st.booleans() | st.integers() | FLOATS | TEXT
VALUES = st.recursive(
    SCALARS,
    lambda values: st.lists(values, max_size=3) | st.dictionaries(TEXT, values, max_size=2),
    max_leaves=5,
)
NUMBERS = st.none() | st.integers(-(10**30), 10**30) | FLOATS
LISTS = st.none() | st.lists(st.text(max_size=3), max_size=3)
SOUND = {"age": st.integers(0, 99), "item": TEXT, "price": NUMBERS, "history": LISTS}


@seed(0)
@drawn(100)
@given(data=st.data())
def test_any_values_are_scored_or_refused(service: Service, data: st.DataObject) -> None:
    wild = data.draw(st.sets(st.sampled_from(FEATURES)))
    shared = data.draw(st.sets(st.sampled_from(FEATURES)))
    value = {name: VALUES if name in wild else SOUND[name] for name in FEATURES}
    user = data.draw(st.fixed_dictionaries({name: value[name] for name in shared}))
    row = st.fixed_dictionaries({name: value[name] for name in FEATURES if name not in shared})
    sent = {"user": user, "candidates": data.draw(st.lists(row, max_size=4))}
    answer = client_of(service).post("/score", json=sent)
    assert answer.status_code in (200, 413, 422)
    if answer.status_code == 200:
        assert len(answer.json()["pctcvr"]) == len(sent["candidates"])
    else:
        assert list(answer.json()) == ["error"]


def test_the_document_names_columns_limits_and_statuses(service: Service) -> None:
    score = build_app(service).openapi()["paths"]["/score"]["post"]
    assert set(score["responses"]) >= {"200", "400", "413", "422", "429", "503", "504"}
    content = score["requestBody"]["content"]
    apart = content["application/json"]["schema"]["anyOf"][0]
    records = apart["properties"]["candidates"]["anyOf"][0]
    assert records["maxItems"] == 20
    assert set(records["items"]["properties"]) == set(FEATURES)
    assert "application/vnd.apache.arrow.stream" in content
