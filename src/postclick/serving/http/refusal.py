"""A request that is refused: a status, one line that says why, and a word for the metrics."""

import json
from dataclasses import dataclass

from starlette.responses import Response

# Longest line of an error: a message may quote what the client sent.
LONGEST = 500
QUOTED = 60


@dataclass(eq=False)
class Refusal(Exception):
    """Raised anywhere below a request, and answered as `{"error": message}`.

    Attributes:
        status: the HTTP status, 4xx or 503/504.
        message: what is wrong and the mend.
        reason: label of `postclick_rejected_total`; one of a handful of words.
        retry_after: seconds, where the same request may succeed later.
        close: whether the connection is closed, as where its body was not read to the end.

    >>> refusal(Refusal(413, "too many candidates", "too_large")).body
    b'{"error":"too many candidates"}'
    """

    status: int
    message: str
    reason: str
    retry_after: int | None = None
    close: bool = False


def refusal(error: Refusal) -> Response:
    """The response that a refusal becomes."""
    headers = {}
    if error.retry_after is not None:
        headers["retry-after"] = str(error.retry_after)
    if error.close:
        headers["connection"] = "close"
    if error.status == 401:
        headers["www-authenticate"] = "Bearer"
    return error_response(error.status, error.message, headers)


def error_response(status: int, message: str, headers: dict[str, str] | None = None) -> Response:
    """`{"error": message}`, on one line and of bounded length."""
    line = " ".join(message.split())
    if len(line) > LONGEST:
        line = line[: LONGEST - 1] + "…"
    body = json.dumps({"error": line}, separators=(",", ":"))
    return Response(body, status, headers, media_type="application/json")


def quoted(name: object) -> str:
    """A name as the client sent it, safe to print and short.

    >>> quoted("price"), len(quoted("x" * 1000))
    ("'price'", 60)
    """
    text = repr(name) if not isinstance(name, str) else repr(name[: QUOTED + 1])
    return text if len(text) <= QUOTED else text[: QUOTED - 2] + "…'"
