"""URLs with passwords and signatures open logs, and are told without them."""

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from helpers.commands import run, succeed
from postclick.data.read.opening import open_log
from postclick.data.read.places.store import shown
from postclick.errors import InputError

SECRETS = ("secretpw", "SECRETSIG")
LOG = "click;buy;shop\n" + "".join(f"{k % 2};{k % 4 // 3};s{k % 3}\n" for k in range(600))


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Says nothing of requests."""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[str]:
    """The address, with user and password, of a server of the folder `site`."""
    for package in ("fsspec", "aiohttp"):
        pytest.importorskip(package)
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "log.csv").write_text(LOG)
    (tmp_path / "site" / "log.jsonl").write_text('{"a": 1}\n{"a": 2,}\n')
    (tmp_path / "site" / "log.parquet").write_text("PAR1 is not all of it PAR1")
    handler = partial(Quiet, directory=str(tmp_path / "site"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://user:secretpw@127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_prepared_log_does_not_hold_them(site: str, tmp_path: Path) -> None:
    schema, out = tmp_path / "schema.yaml", tmp_path / "prepared"
    schema.write_text("click: click\nconversion: buy\ncategorical: [shop]\n")
    url = f"{site}/log.csv?sig=SECRETSIG"
    told = succeed("prepare", "--schema", str(schema), "--train", url, "--out", str(out))
    texts = [told] + [path.read_text(errors="replace") for path in out.rglob("*") if path.is_file()]
    assert any(f"{shown(url)} is read with separator ';'" in text for text in texts)
    assert not [text for text in texts for secret in SECRETS if secret in text]


@pytest.mark.parametrize("name", ["none.csv", "none*.csv", "log.jsonl", "log.parquet"])
def test_messages_do_not_hold_them(site: str, name: str) -> None:
    done = run("check", "--propose", f"{site}/{name}?sig=SECRETSIG")
    assert done.code == 2 and len(done.err.strip().splitlines()) == 1, done.err
    assert not [secret for secret in SECRETS if secret in done.err + done.out]
    assert shown(f"{site}/{name.partition('*')[0]}") in done.err


@pytest.mark.parametrize("scheme", ["http", "ftp", "sftp", "foo"])
def test_what_cannot_be_opened(scheme: str) -> None:
    pytest.importorskip("fsspec")
    with pytest.raises(InputError) as caught:
        open_log(f"{scheme}://user:secretpw@127.0.0.1:1/log.csv?sig=SECRETSIG")
    assert not [secret for secret in SECRETS if secret in str(caught.value)]


def test_the_state_tells_urls_apart_without_them(site: str) -> None:
    one, two = (open_log(f"{site}/log.csv?sig={sig}").state() for sig in SECRETS)
    assert one is not None and two is not None and one != two
    assert one == open_log(f"{site}/log.csv?sig=secretpw").state()
    assert not [secret for secret in SECRETS if secret in " ".join(one + two)]
