"""Bodies as a real server gets them: too long, in chunks, broken off, from who goes away."""

import socket
from typing import Any

import pytest

from serving.http.fake import write_fake
from serving.http.processes import BODY, PATIENCE, Server, ask

HEAD = b"POST /score HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n"
LIMITED = {"limits": {"body_bytes": 100_000, "seconds": 5.0}}


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Any:
    bundle = write_fake(tmp_path_factory.mktemp("limited") / "bundle")
    with Server(bundle, **LIMITED) as server:
        yield server


def chunked(size: int, chunk: int = 5_000) -> bytes:
    """A body of spaces without a Content-Length."""
    head = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
    one = b"%x\r\n%s\r\n" % (chunk, b" " * chunk)
    return head + one * (size // chunk) + b"0\r\n\r\n"


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (HEAD + b"Content-Length: 100001\r\n\r\n", 413),
        (HEAD + b"Content-Length: 100001\r\nExpect: 100-continue\r\n\r\n", 413),
        (HEAD + b"Content-Length: 10\r\n\r\n" + b"[" * 100_000, 400),
        pytest.param(
            *(HEAD + b"Content-Length: 90000\r\n\r\n" + b"[" * 100, 408), marks=pytest.mark.slow
        ),
        (HEAD + b"Content-Length: -5\r\n\r\n", 400),
        (HEAD + b"Content-Length: many\r\n\r\n", 400),
        (HEAD + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 400),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (chunked(150_000), 413),
        (chunked(2_000_000), 413),
        (b"\x16\x03\x01 this is no HTTP\r\n\r\n", 400),
    ],
)
def test_bodies_over_a_raw_socket(limited: Server, sent: bytes, status: int) -> None:
    received = limited.raw(sent)
    assert received.startswith(b"HTTP/1.1 %d " % status), received[:200]
    assert limited.score()[0] == 200


def test_a_head_without_end_is_cut_off(limited: Server) -> None:
    address = ("127.0.0.1", limited.port)
    with (
        socket.create_connection(address, timeout=PATIENCE) as plug,
        pytest.raises(ConnectionError),
    ):
        plug.sendall(HEAD + b"X: ")
        for _ in range(10_000):
            plug.sendall(b"X" * 65_536)
    assert limited.score()[0] == 200


def test_a_body_within_the_limit_comes_in_chunks(limited: Server) -> None:
    body = b"%x\r\n%s\r\n" % (len(BODY), BODY)
    sent = HEAD + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n" + body + b"0\r\n\r\n"
    assert limited.raw(sent).startswith(b"HTTP/1.1 200 ")


def test_a_client_that_goes_away_in_its_body(limited: Server) -> None:
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", limited.port)) as plug:
            plug.sendall(HEAD + b"Content-Length: 1000\r\n\r\n{")
    assert limited.score()[0] == 200
    assert not any("Traceback" in line for line in limited.log)


def test_a_connection_is_kept_after_a_refusal(limited: Server) -> None:
    connection = limited.connect()
    assert ask(connection, b"{")[0] == 400
    plug = connection.sock
    assert ask(connection)[0] == 200
    assert connection.sock is plug
