"""The API key: where it comes from, and comparing it."""

import hmac
import os
from collections.abc import Mapping
from pathlib import Path

from postclick.errors import InputError
from postclick.serving.http.refusal import Refusal

VARIABLE = "POSTCLICK_API_KEY"
SHORTEST = 16


class ApiKey:
    """Admits requests that carry the key; all of them if there is none.

    >>> ApiKey(b"0123456789abcdef").check({"authorization": "Bearer 0123456789abcdef"})
    >>> ApiKey(None).check({})
    """

    def __init__(self, key: bytes | None) -> None:
        self._key = key

    @classmethod
    def load(cls, file: Path | None, environment: Mapping[str, str] = os.environ) -> "ApiKey":
        """The key in `file`, else in the environment variable POSTCLICK_API_KEY, else none.

        Raises:
            InputError: the file cannot be read, or the key is short, empty or not one line.
        """
        if file is not None:
            try:
                key, where = file.read_bytes().strip(), str(file)
            except OSError as error:
                raise InputError(
                    f"the API key {file} cannot be read: {error.strerror or error}"
                ) from None
        elif VARIABLE in environment:
            key, where = environment[VARIABLE].strip().encode(), VARIABLE
        else:
            return cls(None)
        if len(key) < SHORTEST or not all(0x21 <= byte <= 0x7E for byte in key):
            raise InputError(
                f"the API key in {where} is not one word of {SHORTEST} or more ASCII characters: "
                "make one with 'openssl rand -hex 32'"
            )
        return cls(key)

    @property
    def is_set(self) -> bool:
        """Whether a key is asked for."""
        return self._key is not None

    def check(self, headers: Mapping[str, str]) -> None:
        """Refuse a request without the key, in a time that says nothing about it.

        Raises:
            Refusal: the key is missing or wrong (401).
        """
        if self._key is None:
            return
        scheme, _, given = headers.get("authorization", "").partition(" ")
        # Header values are latin-1 in ASGI.
        same = hmac.compare_digest(given.strip().encode("latin-1", "replace"), self._key)
        if scheme.lower() != "bearer" or not same:
            message = "the API key is missing or wrong: send 'Authorization: Bearer KEY'"
            raise Refusal(401, message, "unauthorized", close=True)
