"""What the OpenAPI document says of /score, whose body FastAPI does not parse."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from postclick.serving.http.answer import ARROW, JSON
from postclick.serving.http.body.limits import Limits


class Scores(BaseModel):
    """Predictions, one per row in order, and the bundle that made them."""

    version: str
    method: str
    pctr: list[float]
    pcvr: list[float]
    pctcvr: list[float]


class Problem(BaseModel):
    """What is wrong with a request, in one line."""

    error: str


_REFUSALS = {
    400: "Neither JSON nor a whole Arrow IPC stream",
    401: "The API key is missing or wrong",
    406: "Accept allows neither JSON nor Arrow",
    408: "The body did not arrive in time",
    413: "Over a limit: bytes, candidates, columns",
    415: "Another Content-Type, or a compressed body",
    422: "A column is missing or of the wrong type",
    429: "Too many requests wait; Retry-After says when to come back",
    503: "No model thread was free in time, or the server stopped",
    504: "The model call did not end in time",
}
_BINARY = {"type": "string", "format": "binary"}


def score_responses() -> dict[int | str, dict[str, Any]]:
    """The answers of /score by status."""
    found: dict[int | str, dict[str, Any]] = {
        200: {"model": Scores, "content": {ARROW: {"schema": _BINARY}}, "description": "Scores"}
    }
    found |= {status: {"model": Problem, "description": text} for status, text in _REFUSALS.items()}
    return found


def score_body_schema(
    limits: Limits, features: tuple[str, ...], vectors: Mapping[str, int] | None = None
) -> dict[str, Any]:
    """The request body of /score.

    Args:
        features: of the bundle that serves at the start.
        vectors: those of them that are vectors, and how many numbers each has.
    """
    scalar = {"type": ["string", "number", "boolean", "null"]}
    value = {"anyOf": [scalar, {"type": "array", "items": scalar}]}
    kinds = dict.fromkeys(features, value)
    kinds |= {name: _vector(size) for name, size in (vectors or {}).items()}
    record = {
        "type": "object",
        "properties": kinds,
        "additionalProperties": value,
        "maxProperties": limits.columns,
    }
    listed = {"type": "array", "items": value, "minItems": 1, "maxItems": limits.candidates}
    records = {
        "type": "array",
        "items": record,
        "minItems": 1,
        "maxItems": limits.candidates,
    }
    columns: dict[str, Any] = {
        "type": "object",
        "additionalProperties": listed,
        "minProperties": 1,
    }
    if vectors:
        columns["properties"] = {name: {**listed, "items": kinds[name]} for name in vectors}
    rows = {"anyOf": [records, columns]}
    apart = {
        "type": "object",
        "properties": {"user": record, "candidates": rows},
        "required": ["candidates"],
        "additionalProperties": False,
    }
    together = {
        "type": "object",
        "properties": {"rows": rows},
        "required": ["rows"],
        "additionalProperties": False,
    }
    content = {JSON: {"schema": {"anyOf": [apart, together]}}, ARROW: {"schema": _BINARY}}
    return {"requestBody": {"required": True, "content": content}}


def _vector(size: int) -> dict[str, Any]:
    """A list of so many numbers, text that says the same, or nothing."""
    numbers = {"type": "array", "items": {"type": ["number", "null"]}}
    return {
        "anyOf": [
            {**numbers, "minItems": size, "maxItems": size},
            {**numbers, "maxItems": 0},
            {"type": ["string", "null"]},
        ]
    }
