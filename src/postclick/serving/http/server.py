"""Running the application: socket, signals, log, and an end that finishes what was begun."""

import asyncio
import contextlib
import gc
import logging
import os
import signal
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

import uvicorn

from postclick.errors import InputError
from postclick.serving.http.app.app import build_app
from postclick.serving.http.app.auth import ApiKey
from postclick.serving.http.app.service import Service
from postclick.serving.http.body.limits import Limits
from postclick.serving.http.model.current_bundle import CurrentBundle, follow
from postclick.serving.http.model.served_bundle import BundleOpener
from postclick.system.files import write_text

# Connections at a time; beyond it uvicorn answers 503.
CONNECTIONS = 2_000
BACKLOG = 1_024
KEEP_ALIVE_SECONDS = 75
# A thread that holds the interpreter gives it up after this: the default of 5 ms is longer than
# the whole of a request.
SWITCH_SECONDS = 0.0005

log = logging.getLogger("postclick.serve")


@dataclass(frozen=True)
class ServerSettings:
    """How a bundle is served.

    Attributes:
        bundle: a folder, or a symlink that a deployment replaces.
        workers: model calls at a time.
        threads: of the network in one model call.
        drain_seconds: to finish what runs when told to stop.
        watch: seconds between looks at where `bundle` leads; None looks on SIGHUP alone.
        pid_file: holds the process's number from when signals are heeded to the end.
    """

    bundle: Path
    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = 1
    threads: int = 1
    limits: Limits = field(default_factory=Limits)
    drain_seconds: float = 10.0
    watch: float | None = None
    api_key_file: Path | None = None
    access_log: bool = False
    pid_file: Path | None = None

    def __post_init__(self) -> None:
        for name in ("workers", "threads"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}: it has to be 1 or more")
        if not 0 <= self.drain_seconds < float("inf"):
            raise InputError(
                f"the time to drain is {self.drain_seconds} s: it has to be 0 or more and finite"
            )
        if self.watch is not None and not 0 < self.watch < float("inf"):
            raise InputError(f"watch is {self.watch} s: it has to be above 0 and finite")


def serve(settings: ServerSettings, open_bundle: BundleOpener) -> None:
    """Serve a bundle until SIGTERM or SIGINT.

    SIGHUP loads what the bundle's path leads to by then.

    Raises:
        InputError: the bundle is damaged, the address is taken, or the API key is not sound.
    """
    _log_to_stderr(settings.access_log)
    asked_early: list[int] = []
    # Without a handler a SIGHUP that comes while the first bundle loads would end the process.
    signal.signal(signal.SIGHUP, lambda number, _frame: asked_early.append(number))
    key = ApiKey.load(settings.api_key_file)
    with _listening(settings.host, settings.port) as listener:
        current = CurrentBundle(settings.bundle, open_bundle, settings.threads)
        service = Service(current, key, settings.limits, settings.workers)
        sys.setswitchinterval(SWITCH_SECONDS)
        # A collection that looks through all that importing left takes a tenth of a second, in
        # which nobody is answered.
        gc.collect()
        gc.freeze()
        server = _Server(service, settings, asked_early=asked_early)
        server.run(sockets=[listener])
    log.info("stopped")


class _Server(uvicorn.Server):
    """uvicorn with signals of its own: it would end by the signal that stopped it, not with 0."""

    def __init__(
        self, service: Service, settings: ServerSettings, *, asked_early: list[int]
    ) -> None:
        super().__init__(_config(service, settings))
        self._service, self._settings = service, settings
        self._asked, self._asked_early = asyncio.Event(), asked_early
        self._following: asyncio.Task[None] | None = None

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are handled from `startup` on."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept connections, and say so."""
        await super().startup(sockets)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        loop.add_signal_handler(signal.SIGHUP, self._asked.set)
        if self._asked_early:
            self._asked.set()
        service, settings = self._service, self._settings
        following = follow(service.current, self._asked, settings.watch, service.metrics)
        self._following = asyncio.create_task(following)
        if settings.pid_file is not None:
            write_text(settings.pid_file, f"{os.getpid()}\n")
        bundle = service.current.bundle
        host, port = (sockets or [])[0].getsockname()[:2]
        log.info(
            "started: http://%s:%d serves version %s (%s) of %s",
            *(f"[{host}]" if ":" in host else host, port),
            *(bundle.version, bundle.method, settings.bundle),
        )
        if not service.key.is_set and host not in ("127.0.0.1", "::1"):
            log.warning("open: %s may be reached from elsewhere, and no API key is set", host)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop: finish what runs; at once when told a second time."""
        if self.should_exit:
            self.force_exit = True
            return
        self._service.draining = True
        self.should_exit = True
        seconds = self._settings.drain_seconds
        name = signal.Signals(sig).name
        log.info("stopping: %s; requests under way have %g s", name, seconds)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Finish requests, and let the threads go."""
        if self._following is not None:
            self._following.cancel()
        await super().shutdown(sockets)
        self._service.threads.close()
        if self._settings.pid_file is not None:
            self._settings.pid_file.unlink(missing_ok=True)


def _config(service: Service, settings: ServerSettings) -> uvicorn.Config:
    return uvicorn.Config(
        build_app(service),
        http="h11",  # httptools, which uvicorn prefers, has no bound on the head of a request
        log_config=None,
        access_log=settings.access_log,
        lifespan="off",
        ws="none",
        server_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        limit_concurrency=CONNECTIONS,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=settings.drain_seconds,  # type: ignore[arg-type]
    )


@contextlib.contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    """A bound socket: a taken port is known before the bundle is loaded."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or error
        raise InputError(
            f"{host}:{port} cannot be served: {why}; choose another --host or --port"
        ) from None
    with listener:
        yield listener


def _log_to_stderr(access_log: bool) -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    for name, level in (
        ("postclick.serve", logging.INFO),
        # Its warnings are about what clients send: a line for each would fill a disk.
        ("uvicorn.error", logging.ERROR),
        ("uvicorn.access", logging.INFO if access_log else logging.CRITICAL),
    ):
        logger = logging.getLogger(name)
        logger.setLevel(level)
        logger.propagate = False
        logger.handlers = [handler]
