"""Limits of a request, and refusing what is beyond them."""

from dataclasses import dataclass

from postclick.errors import InputError
from postclick.serving.http.refusal import Refusal

MIB = 1 << 20
# The user's part times the candidates, in whole bodies: 64 kB for 2,000 candidates.
SHARED_BODIES = 16


@dataclass(frozen=True)
class Limits:
    """What one request may ask for.

    Attributes:
        body_bytes: bytes of a body.
        candidates: rows to score.
        columns: columns in one part of a request, used or not.
        seconds: from the first byte of the body to the end of the model call.
        queue: requests that wait for a model thread. The default rides out most of a second in
            which the machine does something else.

    Raises:
        InputError: one of them is not positive.

    >>> Limits(candidates=0)
    Traceback (most recent call last):
    ...
    postclick.errors.InputError: the limit on candidates is 0: it has to be 1 or more
    """

    body_bytes: int = 8 * MIB
    candidates: int = 2_000
    columns: int = 1_000
    seconds: float = 2.0
    queue: int = 256

    def __post_init__(self) -> None:
        for name in ("body_bytes", "candidates", "columns"):
            if getattr(self, name) < 1:
                raise InputError(
                    f"the limit on {name} is {getattr(self, name)}: it has to be 1 or more"
                )
        if self.queue < 0:
            raise InputError(f"the queue is {self.queue} requests long: it has to be 0 or more")
        if not 0 < self.seconds < float("inf"):
            raise InputError(
                f"the time for a request is {self.seconds} s: it has to be above 0 and finite"
            )

    def check_rows(self, rows: int) -> None:
        """Refuse no rows and too many."""
        if rows < 1:
            raise Refusal(422, "there are no candidates: send 1 or more", "content")
        if rows > self.candidates:
            raise Refusal(
                413,
                f"{rows} candidates are more than {self.candidates}: send them in several requests",
                "too_large",
            )

    def check_text(self, size: int) -> None:
        """Refuse columns that unfold to more text than a body may hold."""
        if size > self.body_bytes:
            message = f"the text columns hold {size:,} bytes or more when they are spelled out"
            raise Refusal(413, f"{message}: send shorter values", "too_large")

    def check_shared(self, size: int, rows: int) -> None:
        """Refuse a user's part that is too large to be read with each of so many candidates."""
        if size * rows > SHARED_BODIES * self.body_bytes:
            raise Refusal(
                413,
                f"the user's part has {size:,} bytes, which count for each of {rows:,} candidates: "
                "send shorter lists, or the candidates in several requests",
                "too_large",
            )

    def check_columns(self, columns: int) -> None:
        """Refuse too many columns."""
        if columns > self.columns:
            raise Refusal(
                413,
                f"{columns} columns are more than {self.columns}: send those the bundle needs, "
                "GET /ready lists them",
                "too_large",
            )
