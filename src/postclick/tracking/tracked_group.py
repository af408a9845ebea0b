"""Many runs tracked as the parts of one: a comparison, a search."""

from collections.abc import Sequence
from pathlib import Path

from postclick.progress import Reporter
from postclick.tracking.destination import Destination
from postclick.tracking.tracker import dropped


class TrackedGroup:
    """A comparison or search and the places where its runs are tracked.

    A place that fails is told in one line and left out, for all runs.

    Attributes:
        places: for the runs, which belong to the group there.
    """

    def __init__(self, track: Sequence[str], folder: Path, reporter: Reporter) -> None:
        self.reporter = reporter
        self.places: tuple[Destination, ...] = ()
        for place in [Destination.parse(text) for text in track]:
            try:
                self.places += (place.open_group(folder.resolve().name, folder),)
            except Exception as error:
                reporter.line(dropped(place.kind, error))

    def finish(self, values: dict[str, float], files: Sequence[Path]) -> None:
        """All runs are done: numbers and files that say what came of it."""
        for place in self.places:
            try:
                place.close_group(values, files)
            except Exception as error:
                self.reporter.line(dropped(place.kind, error))
