"""The bundle that serves, and putting a new one in its place without a failed request."""

import asyncio
import logging
from pathlib import Path

from postclick.errors import InputError
from postclick.serving.http.model.bounded_threads import BoundedThreads
from postclick.serving.http.model.bundle_link import Target, target_of
from postclick.serving.http.model.served_bundle import BundleOpener, ServedBundle, open_checked
from postclick.serving.http.server_metrics import ServerMetrics

log = logging.getLogger("postclick.serve")


class CurrentBundle:
    """The bundle that `path`, often a symlink, leads to.

    What is to be served is said by the file system alone: a restart serves what the path leads
    to, and nothing has to be repeated to the server. A request takes `bundle` once and keeps it,
    so that one that began before a swap ends with the bundle it began with.

    Attributes:
        bundle: the loaded bundle; replaced as a whole, when the new one has scored its first rows.
    """

    def __init__(self, path: Path, open_bundle: BundleOpener, threads: int | None) -> None:
        """Load the first bundle.

        Raises:
            InputError: it is missing or damaged.
        """
        self._path, self._open, self._threads = path, open_bundle, threads
        self._tried = target_of(path)
        self.bundle: ServedBundle = open_checked(self._tried.folder, open_bundle, threads)

    def moved(self) -> bool:
        """Whether the path leads elsewhere than when it was last loaded or refused."""
        try:
            return target_of(self._path) != self._tried
        except InputError:
            return False  # in the middle of a deployment that does not rename

    def reload(self, metrics: ServerMetrics) -> None:
        """Load what the path leads to now, warm it and let it serve; refused if it is damaged.

        Takes seconds and never raises: to be run beside the event loop. Logs one line.
        """
        old = self.bundle
        try:
            # All files of one bundle, also if the symlink moves on meanwhile.
            target = target_of(self._path)
            self._tried = target
            new = self._load(target)
        except InputError as error:
            metrics.loads.labels("refused").inc()
            log.error("refused: %s; version %s goes on serving", error, old.version)
            return
        if new.version == old.version:
            metrics.loads.labels("unchanged").inc()
            log.info("unchanged: %s is version %s", target.folder, old.version)
            return
        self.bundle = new
        metrics.serves(new)
        metrics.loads.labels("swapped").inc()
        log.info(
            "swapped: version %s (%s) of %s serves, instead of %s%s",
            *(new.version, new.method, target.folder, old.version),
            _other_columns(old, new),
        )

    def _load(self, target: Target) -> ServedBundle:
        try:
            return open_checked(target.folder, self._open, self._threads)
        except InputError:
            raise
        except Exception as error:
            # Whatever is wrong with the new bundle, the old one is sound.
            raise InputError(f"bundle {target.folder}: {type(error).__name__}: {error}") from error


async def follow(
    current: CurrentBundle, asked: asyncio.Event, every: float | None, metrics: ServerMetrics
) -> None:
    """Reload when `asked` is set, and look `every` so many seconds whether the path has moved.

    However often it is asked while a bundle loads, one more load follows.
    """
    # A daemon thread: a server that is told to stop does not wait for a load.
    loader = BoundedThreads(workers=1, queue=1, name="loader")
    while True:
        try:
            async with asyncio.timeout(every):
                await asked.wait()
            moved = True
        except TimeoutError:
            moved = False
        try:
            if not moved:
                moved, _ = await loader.run(current.moved, None)
            if moved:
                asked.clear()
                await loader.run(lambda: current.reload(metrics), None)
        except Exception:
            # A panic in native code, say: the next bundle must still be looked at.
            metrics.loads.labels("refused").inc()
            log.exception("loading failed; version %s goes on serving", current.bundle.version)


def _other_columns(old: ServedBundle, new: ServedBundle) -> str:
    """Clients that send what the old bundle needed may have to send more."""
    more = sorted(set(new.features) - set(old.features))
    return f"; it needs new columns: {', '.join(more)}" if more else ""
