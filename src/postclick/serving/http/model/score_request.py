"""One request from its body to its answer, all of it in a thread of the model."""

import io
import json
import time
from dataclasses import dataclass

import polars as pl

from postclick.errors import InputError
from postclick.serving.http.answer import ARROW, JSON, encode_scores
from postclick.serving.http.body.arrow_body import parse_arrow
from postclick.serving.http.body.body_reader import Body, BodyReader
from postclick.serving.http.body.json_body import parse_json
from postclick.serving.http.body.limits import Limits
from postclick.serving.http.model.served_bundle import ServedBundle, are_probabilities
from postclick.serving.http.refusal import Refusal


@dataclass(frozen=True)
class Answer:
    """An encoded answer, and what it took.

    Attributes:
        version: of the bundle that scored it.
        model_seconds: time in the bundle.
        seconds: that, and reading the body and writing the answer.
    """

    body: bytes
    rows: int
    version: str
    model_seconds: float
    seconds: float


def score_body(bundle: ServedBundle, body: Body, sent: str, answer: str, limits: Limits) -> Answer:
    """Parse `body`, sent in the format `sent`, score it, and write it in the format `answer`.

    Raises:
        Refusal: the body is not what the bundle needs.
        ArithmeticError: the bundle predicts what is no probability.
    """
    began = time.perf_counter()
    parse = parse_arrow if sent == ARROW else parse_json
    request = parse(body.whole(), bundle.features, limits)
    if request.user is not None:
        limits.check_shared(request.user.nbytes, request.rows.height)
    before = time.perf_counter()
    try:
        scores = bundle.predict(request.rows, request.user)
    except InputError as error:
        raise Refusal(422, str(error), "content") from None
    taken = time.perf_counter() - before
    if not are_probabilities(scores):
        raise ArithmeticError(f"version {bundle.version} predicts values that are no probabilities")
    encoded = encode_scores(scores, bundle, answer)
    total = time.perf_counter() - began
    return Answer(encoded, len(scores.pctr), bundle.version, taken, total)


def warm(bundle: ServedBundle) -> None:
    """Score a row of blanks in each format: the first use of a library takes far longer."""
    blank = {name: [None] for name in bundle.features}
    stream = io.BytesIO()
    pl.DataFrame(blank).write_ipc_stream(stream)
    sent = {JSON: json.dumps({"rows": blank}).encode(), ARROW: stream.getvalue()}
    limits = Limits(columns=len(blank))
    for media, content in sent.items():
        body = Body(BodyReader(limits))
        body.add(content)
        score_body(bundle, body, media, media, limits)
