"""A server in a process of its own, and clients that speak to it over sockets."""

import http.client
import json
import os
import queue
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

TESTS = Path(__file__).resolve().parents[2]
SOURCES = TESTS.parent / "src"
PATIENCE = 30.0
ROW = {"age": 1, "item": "a", "price": 10.0, "history": ["x"]}
BODY = json.dumps({"rows": [ROW]}).encode()


class Server:
    """A running server; killed at the end of the block if it has not stopped by then.

    Attributes:
        process: as it was started.
        port: where it listens.
        log: lines of its standard error.
    """

    def __init__(self, bundle: Path, **settings: Any) -> None:
        given = json.dumps({"bundle": str(bundle), "port": 0, **settings}, default=str)
        paths = os.pathsep.join([str(SOURCES), str(TESTS)])
        self.process = subprocess.Popen(
            [sys.executable, "-m", "serving.http.fake_server", given],
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": paths},
        )
        self.log: list[str] = []
        self._lines: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        self.port = 0

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.log.append(line.rstrip())
            self._lines.put(line.rstrip())
        self._lines.put(None)

    def __enter__(self) -> "Server":
        match = re.search(r"http://\S+:(\d+) ", self.logged("started"))
        assert match is not None
        self.port = int(match[1])
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.process.kill()
        self.process.wait(PATIENCE)
        assert self.process.stderr is not None

    def logged(self, word: str) -> str:
        """Wait for a line with `word`, and return it; lines are looked at once."""
        while True:
            line = self._lines.get(timeout=PATIENCE)
            assert line is not None, f"it ended without {word!r}: {self.log}"
            if word in line:
                return line

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def exit_code(self) -> int:
        return self.process.wait(PATIENCE)

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)

    def score(self, body: bytes = BODY) -> tuple[int, Any, http.client.HTTPMessage]:
        """Status, content and headers of one request on a connection of its own."""
        connection = self.connect()
        answer = ask(connection, body)
        connection.close()
        return answer

    def raw(self, sent: bytes) -> bytes:
        """What comes back for these bytes until the server closes the connection."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as plug:
            plug.sendall(sent)
            received = b""
            while chunk := plug.recv(65_536):
                received += chunk
        return received


def ask(
    connection: http.client.HTTPConnection, body: bytes = BODY
) -> tuple[int, Any, http.client.HTTPMessage]:
    """Send one request to /score on a connection that is kept."""
    connection.request("POST", "/score", body, {"content-type": "application/json"})
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read()), answer.headers


@contextmanager
def under_load(server: Server, clients: int = 4) -> Iterator[list[tuple[int, str]]]:
    """Clients that ask without a pause on kept connections: status and version of each answer."""
    answers: list[tuple[int, str]] = []
    stop = threading.Event()

    def client() -> None:
        connection = server.connect()
        while not stop.is_set():
            try:
                status, content, _ = ask(connection)
                answers.append((status, content.get("version", "")))
            except (OSError, http.client.HTTPException) as error:
                answers.append((0, repr(error)))
                return
        connection.close()

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield answers
    finally:
        stop.set()
        for thread in threads:
            thread.join(PATIENCE)


def wait_until(true: Callable[[], bool]) -> None:
    """Look until it is so."""
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, "it never came to be"
        time.sleep(0.01)
