"""`WrappedLog`: a log that reads another and says of itself what that says."""

from pathlib import Path

from postclick.data.read.log_source import LogSource


class WrappedLog(LogSource):
    """Base of a log that reads `log` and gives its rows with other columns."""

    def __init__(self, log: LogSource) -> None:
        self.name, self.read_as, self.heeds = log.name, log.read_as, log.heeds
        self._log = log

    @property
    def notes(self) -> tuple[str, ...]:
        return self._log.notes

    @property
    def decimal(self) -> str | None:
        return self._log.decimal

    @property
    def files(self) -> tuple[Path, ...]:
        return self._log.files

    def state(self) -> tuple[str, ...] | None:
        return self._log.state()
