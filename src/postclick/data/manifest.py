"""`manifest.json`: what a prepared log holds, enough to rebuild every encoder and every batch."""

import json
import math
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field, ValidationError

from postclick.data.schema import LogSchema, Pooling, first_message
from postclick.data.schema.strict import Strict
from postclick.errors import InputError
from postclick.suggest import meant
from postclick.system.checksums import check_file, json_digest

FORMAT = 1
FILE_NAME = "manifest.json"
CHECKSUM = "checksum"
VOCABULARIES = "vocabularies"  # their folder
SPLITS = ("train", "valid", "test")
# Names that shards give to what is not a feature.
CLICK, CONVERSION = "click", "conversion"
TRUE_CTR, TRUE_CVR, POTENTIAL = "true_ctr", "true_cvr", "potential_conversion"
TRUTH_COLUMNS = (TRUE_CTR, TRUE_CVR, POTENTIAL)
RESERVED = (CLICK, CONVERSION, *TRUTH_COLUMNS)
# The hash of a row's group; such a column is there, and its name taken, if the schema has a group.
GROUP = "group_hash"
# How many impressions a row stands for; likewise, if the schema has a weight.
WEIGHT = "sample_weight"
WEIGHTS_SUFFIX = "__weights"
MISSING_SUFFIX = "__missing"


class IdColumn(Strict):
    """One int32 id per row. `size` counts id 0; quantile-binned numbers are ids as well.

    A `hashed` one has no vocabulary: an id is 1 + the hash of a value modulo `size` - 1.
    """

    _silent: ClassVar[tuple[str, ...]] = ("hashed",)

    name: str
    size: int
    edges: tuple[float, ...] | None = None
    hashed: bool = False

    @property
    def has_vocabulary(self) -> bool:
        return self.edges is None and not self.hashed


class ExposureColumn(Strict):
    """The id column of the exposure, with a vocabulary; `size` counts id 0.

    `rows` and `clicks` are those of the training split by id, by weight if rows have one. `at` is
    the id at which pCTR is served, None for its mean over the training impressions.
    """

    name: str
    size: int
    rows: tuple[float, ...]
    clicks: tuple[float, ...]
    at: int | None = None


class NumericColumn(Strict):
    """One float32 per row: (f(x) - mean) / std, 0 where missing; or a 0/1 missing flag.

    f(x) below `low` counts as `low`, above `high` as `high`: beyond what training has seen a
    network knows nothing. Earlier versions wrote neither, and without them there are no limits.
    The `source` of a flag may be a vector.
    """

    _silent: ClassVar[tuple[str, ...]] = ("low", "high")

    name: str
    source: str
    transform: Literal["standardize", "log1p", "missing_flag"]
    mean: float = 0.0
    std: float = 1.0
    low: float | None = None
    high: float | None = None

    @property
    def limits(self) -> tuple[float, float]:
        """`low` and `high`, infinite where there are none."""
        return (
            -math.inf if self.low is None else self.low,
            math.inf if self.high is None else self.high,
        )


class BagColumn(Strict):
    """A list of int32 ids per row, with a list of float32 weights beside it if `weighted`.

    Where it is pooled by attention, `target` is the id column that its elements are weighed by.
    """

    _silent: ClassVar[tuple[str, ...]] = ("target",)

    name: str
    size: int
    pooling: Pooling
    weighted: bool = False
    target: str | None = None


class VectorColumn(Strict):
    """`size` float32 per row: (x - mean) / std of each element, 0 where missing.

    Without `mean` and `std` the elements are as in the log. An element below its `low` counts as
    `low`, above its `high` as `high`; without them there are no limits. `project` is the number
    of outputs of the linear map that a network learns of them, None without one.
    """

    _silent: ClassVar[tuple[str, ...]] = ("low", "high")

    name: str
    size: int
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    project: int | None = None


class Shard(Strict):
    file: str
    rows: int
    sha256: str


class WeightSums(Strict):
    """Sums of the rows' weights in one split: of all, of the clicked, of the converted ones."""

    rows: float
    clicks: float
    conversions: float


class Split(Strict):
    """Row counts of one split; `conversions` are recorded ones, `truth` the columns it has.

    `weight` is there if the schema has one: rates are made of its sums, not of the counts.
    """

    _silent: ClassVar[tuple[str, ...]] = ("weight",)

    rows: int
    clicks: int
    conversions: int
    shards: tuple[Shard, ...]
    truth: tuple[str, ...] = ()
    weight: WeightSums | None = None

    @property
    def mean_weight(self) -> float:
        """How many impressions a row stands for on average; 1 without weights."""
        if self.weight is None or self.weight.rows == 0:
            return 1.0
        return self.weight.rows / self.rows


class Division(Strict):
    """How splits were drawn from train, if not at random: by time, with their first times."""

    by: Literal["time", "group"]
    starts: dict[str, str] = {}
    purge: str | None = None


class Manifest(Strict):
    """What `manifest.json` says.

    `negative_rate` is the share of unclicked training rows that was kept; counts of the training
    split are of the rows that there are, and the other splits are always whole. `vocabularies`
    has the sha256 of each file. `division` is left out where splits were drawn at random or given.
    `canonical` says that values of vocabularies have the one form that `to_text` gives them, which
    earlier versions did not know; it is left out where they have not. `exposure` is there if the
    schema has one.
    """

    _silent: ClassVar[tuple[str, ...]] = ("division", "vectors", "exposure", "canonical")

    format: int
    log_schema: LogSchema
    seed: int
    ids: tuple[IdColumn, ...]
    numerics: tuple[NumericColumn, ...]
    bags: tuple[BagColumn, ...]
    vectors: tuple[VectorColumn, ...] = ()
    exposure: ExposureColumn | None = None
    splits: dict[str, Split]
    findings: tuple[dict[str, Any], ...] = ()
    notes: tuple[str, ...] = ()
    fingerprint: str
    negative_rate: float = Field(default=1.0, gt=0, le=1)
    vocabularies: dict[str, str] = {}
    division: Division | None = None
    canonical: bool = False

    def split(self, name: str) -> Split:
        """The split called `name`; `InputError` if there is none."""
        if name not in self.splits:
            raise InputError(
                f"the prepared log has no split {name!r}{meant(name, self.splits)}"
                f"; it has {', '.join(self.splits)}"
            )
        return self.splits[name]

    def check_vocabularies(self, folder: Path) -> None:
        """Make sure that the vocabularies beside this manifest are those that were written.

        Raises:
            InputError: one is missing or damaged.
        """
        for name, sha256 in self.vocabularies.items():
            path = folder / VOCABULARIES / name
            check_file(path, sha256, "vocabulary", "run 'postclick prepare' again")

    def write(self, folder: Path) -> None:
        """Write `manifest.json`, with the checksum of its content."""
        content = self.model_dump(mode="json")
        signed = {**content, CHECKSUM: json_digest(content)}
        text = json.dumps(signed, indent=1, ensure_ascii=False)
        (folder / FILE_NAME).write_text(text + "\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> "Manifest":
        """Read and check the manifest in `folder`; `InputError` if it is not a prepared log."""
        path = folder / FILE_NAME
        if not path.is_file():
            raise InputError(
                f"{folder} is not a prepared log (no {FILE_NAME}): "
                "make one with 'postclick prepare'"
            )
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(
                f"{path} is damaged ({error}): run 'postclick prepare' again"
            ) from None
        found = data.get("format") if isinstance(data, dict) else None
        if found != FORMAT:
            raise InputError(
                f"{path} has format {found}, this version reads {FORMAT}: prepare again"
            )
        # Earlier versions wrote none.
        if CHECKSUM in data and data.pop(CHECKSUM) != _digest(data):
            raise InputError(
                f"{path} was changed after it was written (its checksum differs): prepare again"
            )
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            raise InputError(
                f"{path} is damaged: {first_message(error, cls)}: prepare again"
            ) from None


def _digest(content: dict[str, Any]) -> str | None:
    try:
        return json_digest(content)
    except ValueError:  # NaN or infinity, which nobody writes
        return None
