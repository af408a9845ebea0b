"""Scores in the format of the answer, and which format that is."""

import json
from functools import lru_cache

import polars as pl
import pyarrow as pa

from postclick.calibration.probabilities import PREDICTIONS, Probabilities
from postclick.serving.http.body.arrow_streams import END_OF_STREAM
from postclick.serving.http.model.served_bundle import ServedBundle
from postclick.serving.http.refusal import Refusal, quoted

JSON = "application/json"
ARROW = "application/vnd.apache.arrow.stream"
FORMATS = (JSON, ARROW)
MOST_RANGES = 50


def sent_format(content_type: str | None) -> str:
    """The format of a body.

    Raises:
        Refusal: it is not said, or is none that is read (415).

    >>> sent_format("application/json; charset=utf-8")
    'application/json'
    """
    media = (content_type or "").partition(";")[0].strip().lower()
    if media not in FORMATS:
        found = f"Content-Type is {quoted(media)}" if media else "there is no Content-Type"
        message = f"{found}: send {JSON} or {ARROW}"
        raise Refusal(415, message, "media_type", close=True)
    return media


def answer_format(accept: str | None, sent: str) -> str:
    """The format of the answer: what `Accept` likes best, the format of the request in doubt.

    Raises:
        Refusal: it accepts neither (406).

    >>> answer_format("*/*", ARROW) == ARROW
    True
    >>> answer_format("text/html, application/json;q=0.5", ARROW)
    'application/json'
    """
    if not (accept or "").strip():
        return sent
    ranges = _ranges(accept or "")
    liked = {media: _quality(media, ranges) for media in FORMATS}
    if not any(liked.values()):
        message = f"Accept allows neither {JSON} nor {ARROW}: leave it out, or name one of them"
        raise Refusal(406, message, "media_type", close=True)
    return max(FORMATS, key=lambda media: (liked[media], media == sent))


def encode_scores(scores: Probabilities, bundle: ServedBundle, media: str) -> bytes:
    """`pctr`, `pcvr`, `pctcvr` in order, with the bundle's version and method.

    JSON has the shortest digits that give the same float32. An Arrow stream has version and
    method in the metadata of its schema.
    """
    if media == ARROW:
        schema, head = _arrow_head(bundle.version, bundle.method)
        batch = pa.RecordBatch.from_arrays([pa.array(values) for values in scores], schema=schema)
        return b"".join((head, batch.serialize(), END_OF_STREAM))
    about = {"version": bundle.version, "method": bundle.method}
    parts = [f'"{key}":{json.dumps(value)}' for key, value in about.items()]
    for name, values in zip(PREDICTIONS, scores, strict=True):
        digits = ",".join(pl.Series(values).cast(pl.String))
        parts.append(f'"{name}":[{digits}]')
    return f"{{{','.join(parts)}}}".encode()


@lru_cache(maxsize=4)
def _arrow_head(version: str, method: str) -> tuple[pa.Schema, bytes]:
    """The schema of a stream, and its bytes, which are the same in all answers of a bundle."""
    about = {"version": version, "method": method}
    schema = pa.schema([(name, pa.float32()) for name in PREDICTIONS], metadata=about)
    return schema, schema.serialize().to_pybytes()


def _ranges(accept: str) -> dict[str, float]:
    """Media ranges and how much each is liked; one that is not well-formed is not liked."""
    found = {}
    for part in accept.split(",")[:MOST_RANGES]:
        media, *parameters = (piece.strip().lower() for piece in part.split(";"))
        quality = 1.0
        for parameter in parameters:
            name, _, value = parameter.partition("=")
            if name.strip() == "q":
                try:
                    quality = float(value)
                except ValueError:
                    quality = 0.0
        found[media] = quality if 0 <= quality <= 1 else 0.0
    return found


def _quality(media: str, ranges: dict[str, float]) -> float:
    """The most specific range counts."""
    for name in (media, media.partition("/")[0] + "/*", "*/*"):
        if name in ranges:
            return ranges[name]
    return 0.0
