"""What a public data set is: its options, and its reader."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from postclick.data.schema import first_message
from postclick.data.splits import LogSplits
from postclick.errors import InputError


class Options(BaseModel):
    """Base of a data set's own options; unknown ones are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True)
class DataSet:
    """A public data set that postclick can read in its published form.

    Attributes:
        name: as given to `--dataset`.
        summary: one line.
        expects: what `--source` has to point to, and where a user gets it.
        options: the reader's options, a pydantic model.
        read: opens the files.
        named: sources that have a name instead of a path, and where each lies.
    """

    name: str
    summary: str
    expects: str
    options: type[Options]
    read: Callable[[Path, Any], LogSplits]
    named: Mapping[str, Callable[[], Path]] = field(default_factory=dict)

    def load(self, source: str | Path, options: Mapping[str, Any] | None = None) -> LogSplits:
        """Open the data set at `source`, a path or, where no such path exists, a name in `named`.

        Raises:
            InputError: the path does not hold the data set, or an option is wrong.
        """
        path = Path(source)
        if not path.exists() and str(source) in self.named:
            path = self.named[str(source)]()
        if not path.exists():
            raise InputError(f"{path} does not exist; {self.name} expects {self.expects}")
        try:
            chosen = self.options.model_validate(dict(options or {}))
        except ValidationError as error:
            raise InputError(
                f"data set {self.name}: option {first_message(error, self.options)}"
            ) from None
        return self.read(path, chosen)
