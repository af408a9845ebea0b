"""A real server: stopping, swapping under load, being killed, and refusing what is too much."""

import re
import signal
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from postclick.serving.http.model.bundle_link import point_link
from serving.http.fake import write_fake
from serving.http.processes import BODY, PATIENCE, Server, under_load, wait_until
from serving.http.services import KEY


@pytest.fixture
def link(tmp_path: Path) -> Path:
    """A symlink to the first of two bundles."""
    write_fake(tmp_path / "one", version="v1", delay=0.002)
    write_fake(tmp_path / "two", version="v2", delay=0.002)
    point_link(tmp_path / "current", tmp_path / "one")
    return tmp_path / "current"


def test_sigterm_finishes_what_runs(tmp_path: Path) -> None:
    bundle = write_fake(tmp_path / "slow", delay=1.0)
    settings = {"drain_seconds": 20.0, "limits": {"seconds": 20.0}}
    with Server(bundle, **settings) as server, ThreadPoolExecutor() as pool:
        idle = server.connect()
        idle.request("GET", "/health")
        assert idle.getresponse().read() == b'{"status":"alive"}'
        # One runs and one waits.
        running = [pool.submit(server.score) for _ in range(2)]
        probe = server.connect()
        wait_until(lambda: gauge(probe, "postclick_queue_depth") == 1)
        server.send(signal.SIGTERM)
        server.logged("stopping: SIGTERM")
        wait_until(lambda: refuses_connections(server.port))
        assert [call.result()[0] for call in running] == [200, 200]
        assert server.exit_code() == 0
        server.logged("stopped")


@pytest.mark.slow
def test_what_does_not_end_in_time_is_given_up(tmp_path: Path) -> None:
    bundle = write_fake(tmp_path / "slow", delay=60.0)
    settings = {"drain_seconds": 0.3, "limits": {"seconds": 50.0}}
    with Server(bundle, **settings) as server, ThreadPoolExecutor() as pool:
        running = pool.submit(server.score)
        probe = server.connect()
        probe.request("GET", "/health")
        probe.getresponse().read()
        wait_until(lambda: gauge(probe, "process_open_fds") > 0 and not running.done())
        # The request is under way as soon as its connection is one of those that are open.
        threading.Event().wait(0.3)
        server.send(signal.SIGTERM)
        status, content, headers = running.result()
        assert status == 503 and "stopped before" in content["error"]
        assert headers["retry-after"] == "1"
        assert server.exit_code() == 0


@pytest.mark.parametrize("how", ["signal", "watch"])
def test_a_swap_under_load_fails_no_request(link: Path, how: str) -> None:
    settings = {"workers": 2, "watch": 0.05 if how == "watch" else None}
    with Server(link, **settings) as server:
        with under_load(server) as answers:
            wait_until(lambda: len(answers) > 50)
            point_link(link, link.parent / "two")
            if how == "signal":
                server.send(signal.SIGHUP)
            assert "version v2" in server.logged("swapped")
            after = len(answers) + 50
            wait_until(lambda: len(answers) > after)
        assert {status for status, _ in answers} == {200}
        versions = [version for _, version in answers]
        assert set(versions) == {"v1", "v2"}
        # Four clients: those that had begun before the swap may end after the first with v2.
        assert "v1" not in versions[versions.index("v2") + 8 :]
        assert server.score()[1]["version"] == "v2"


def test_a_damaged_bundle_is_refused_under_load(link: Path) -> None:
    (link.parent / "two" / "fake.json").write_text("{")
    with Server(link, watch=0.05) as server:
        with under_load(server) as answers:
            point_link(link, link.parent / "two")
            server.logged("refused")
            server.send(signal.SIGHUP)
            server.logged("refused")
            after = len(answers) + 20
            wait_until(lambda: len(answers) > after)
        assert set(answers) == {(200, "v1")}
        assert sum("refused" in line for line in server.log) == 2


@pytest.mark.slow
def test_killed_in_a_swap_it_serves_what_the_link_says(link: Path) -> None:
    """kill -9 while a new bundle is loaded; then back to the old one, and on to the new one."""
    slow = write_fake(link.parent / "slow", version="v3", open_delay=20.0)
    with Server(link) as server:
        point_link(link, slow)
        server.send(signal.SIGHUP)
        assert server.score()[1]["version"] == "v1"
        server.send(signal.SIGKILL)
        assert server.exit_code() == -signal.SIGKILL
    point_link(link, link.parent / "one")
    with Server(link) as server:
        assert server.score()[1]["version"] == "v1"
    point_link(link, link.parent / "two")
    with Server(link) as server:
        assert server.score()[1]["version"] == "v2"


@pytest.mark.slow
def test_sigterm_while_a_bundle_loads_does_not_wait_for_it(link: Path) -> None:
    slow = write_fake(link.parent / "slow", version="v3", open_delay=PATIENCE * 2)
    with Server(link) as server:
        point_link(link, slow)
        server.send(signal.SIGHUP)
        assert server.score()[0] == 200
        server.send(signal.SIGTERM)
        assert server.exit_code() == 0


@pytest.mark.slow
def test_overload_is_refused_and_nothing_else_happens(tmp_path: Path) -> None:
    bundle = write_fake(tmp_path / "slow", delay=0.2)
    with Server(bundle, workers=1, limits={"queue": 2, "seconds": 10.0}) as server:
        with ThreadPoolExecutor(20) as pool:
            answers = list(pool.map(lambda _: server.score(), range(20)))
        statuses = [status for status, _, _ in answers]
        assert set(statuses) == {200, 429}
        assert statuses.count(200) >= 3
        refused = next(answer for answer in answers if answer[0] == 429)
        assert refused[2]["retry-after"] == "1"
        assert "2 requests wait" in refused[1]["error"]
        assert server.score()[0] == 200
        probe = server.connect()
        assert gauge(probe, 'postclick_rejected_total{reason="queue_full"}') == statuses.count(429)


@pytest.mark.slow
def test_waiting_and_running_too_long(tmp_path: Path) -> None:
    bundle = write_fake(tmp_path / "slow", delay=1.0)
    with Server(bundle, limits={"seconds": 0.3}) as server, ThreadPoolExecutor() as pool:
        answers = list(pool.map(lambda _: server.score(), range(2)))
        assert sorted(status for status, _, _ in answers) == [503, 504]


@pytest.mark.slow
def test_log_and_key(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(KEY)
    bundle = write_fake(tmp_path / "bundle")
    files = {"api_key_file": tmp_path / "key", "pid_file": tmp_path / "pid"}
    with Server(bundle, host="0.0.0.0", **files) as server:
        assert int((tmp_path / "pid").read_text()) == server.process.pid
        assert server.score()[0] == 401
        connection = server.connect()
        headers = {"content-type": "application/json", "authorization": f"Bearer {KEY}"}
        connection.request("POST", "/score", BODY, headers)
        assert connection.getresponse().status == 200
        connection.close()
        server.send(signal.SIGINT)
        assert server.exit_code() == 0
        server.logged("stopped")
    assert [
        re.split(r" (?:INFO|WARNING|ERROR) ", line)[1].split(":")[0] for line in server.log
    ] == [
        "started",
        "stopping",
        "stopped",
    ]
    assert KEY not in "".join(server.log)


@pytest.mark.slow
def test_an_open_address_is_warned_of_and_the_access_log_is_an_option(tmp_path: Path) -> None:
    with Server(write_fake(tmp_path / "b"), host="0.0.0.0", access_log=True) as server:
        assert "no API key" in server.logged("open:")
        server.score()
        assert '"POST /score HTTP/1.1" 200' in server.logged("/score")


@pytest.mark.slow
def test_a_taken_port_and_a_damaged_bundle_are_one_line(tmp_path: Path) -> None:
    bundle = write_fake(tmp_path / "bundle")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = Server(bundle, port=taken.getsockname()[1])
        assert server.exit_code() == 2
        assert "choose another --host or --port" in server.logged("postclick:")
    (bundle / "fake.json").write_text("{")
    server = Server(bundle)
    assert server.exit_code() == 2
    assert "is damaged" in server.logged("postclick:")
    assert len(server.log) == 1


def gauge(connection: Any, name: str) -> float:
    """A value of /metrics."""
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    match = re.search(rf"^{re.escape(name)} (\S+)$", text, flags=re.MULTILINE)
    return float(match[1]) if match else 0.0


def refuses_connections(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return True
    return False
