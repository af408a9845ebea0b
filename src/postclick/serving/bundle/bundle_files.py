"""The files of a bundle: what `bundle.json` says, and that nothing else is there."""

import stat
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
)

from postclick.data.manifest import BagColumn, IdColumn, Manifest, NumericColumn, VectorColumn
from postclick.data.schema import LogSchema, first_message
from postclick.errors import InputError
from postclick.system.checksums import file_digest, json_digest
from postclick.system.files import read_json, write_json

FORMAT: Literal[3] = 3
# Format 1 had no user features, format 2 neither vectors nor hashed values, and neither of them
# vocabularies of canonical values.
READABLE = (1, 2, FORMAT)
BUNDLE, MODEL = "bundle.json", "model.onnx"
CHECKSUM = "checksum"
AGAIN = "export the run again"
Output = Literal["ctr", "cvr", "log_ctcvr"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class FileEntry(_Strict):
    size: int = Field(ge=0)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")


class Parity(_Strict):
    """How far the exported model is from torch: rows of each test, largest difference."""

    rows: tuple[int, ...]
    largest_difference: float


class ServedExposure(_Strict):
    """The exposure's column, which is not read, and the value of it at which pCTR is served.

    `at` is "average" where pCTR is the mean over the values of the training impressions.
    """

    column: str
    at: str


class BundleInfo(_Strict):
    """The content of `bundle.json`, its own checksum left out.

    Attributes:
        created_by: package and version that wrote it.
        settings: of the run, as `config.yaml` has them.
        outputs: names of the model's outputs, in their order.
        user_features: those that are inputs of their own, read once for all candidates.
        exposure: where pCTR is served, None for a run without an exposure.
        calibration: what `Calibrator.from_json` reads, None where pCVR is served as it is.
        ctr_shift: added to the logit of pCTR: ln of the rate at which unclicked impressions
            were kept in training; 0 with an exposure, where the model itself adds it.
        metrics: of the run, by split.
        vectors: none in formats before 3.
        files: every other file, by its path within the bundle.
    """

    format: Literal[1, 2, 3]
    created_by: str
    method: str
    settings: dict[str, Any]
    data_fingerprint: str
    log_schema: LogSchema
    ids: tuple[IdColumn, ...]
    numerics: tuple[NumericColumn, ...]
    bags: tuple[BagColumn, ...]
    vectors: tuple[VectorColumn, ...] = ()
    outputs: tuple[Output, ...]
    user_features: tuple[str, ...] = ()
    exposure: ServedExposure | None = None
    calibration: dict[str, Any] | None
    ctr_shift: float
    metrics: dict[str, Any]
    parity: Parity
    files: dict[str, FileEntry]

    @property
    def canonical(self) -> bool:
        """Whether values of the vocabularies are canonical."""
        return self.format >= FORMAT

    @model_serializer(mode="wrap")
    def _without_unused(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        data: dict[str, Any] = dump(self)
        if not self.vectors:
            del data["vectors"]
        if self.exposure is None:
            del data["exposure"]
        return data


def format_of(manifest: Manifest) -> Literal[2, 3]:
    """Format 3, or 2 for a log that was prepared before values had one form.

    Versions that read no more than format 2 would give values of format 3 other ids.
    """
    return FORMAT if manifest.canonical else 2


def describe_files(folder: Path) -> dict[str, FileEntry]:
    """Size and sha256 of all files in `folder`, by their relative path."""
    return {
        file.relative_to(folder).as_posix(): FileEntry(
            size=file.stat().st_size, sha256=file_digest(file)
        )
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def write_info(folder: Path, info: BundleInfo) -> None:
    """Write `bundle.json` with the checksum of its content."""
    content = info.model_dump(mode="json")
    write_json(folder / BUNDLE, {**content, CHECKSUM: json_digest(content)})


def read_info(folder: Path) -> tuple[BundleInfo, str]:
    """Read and check `bundle.json`, and its checksum, which names the bundle's version.

    Raises:
        InputError: it is missing, of another format, or not what was written.
    """
    path = folder / BUNDLE
    if not folder.is_dir() or not path.exists():
        raise InputError(
            f"{folder} is not a bundle (no {BUNDLE}): make one with 'postclick export RUN --out'"
        )
    _plain_file(path)
    content = read_json(path)
    if not isinstance(content, dict) or "format" not in content:
        raise InputError(f"{path} is damaged (no format): {AGAIN}")
    found = content["format"]
    if found not in READABLE:
        newer = isinstance(found, int) and found > FORMAT
        mend = "install a newer postclick" if newer else AGAIN
        raise InputError(f"{path} has format {found!r}, this version reads 1 to {FORMAT}: {mend}")
    written = content.pop(CHECKSUM, None)
    try:
        actual = json_digest(content)
    except ValueError:  # NaN or infinity, which nobody writes
        actual = ""
    if written != actual:
        raise InputError(f"{path} was changed after it was written (its checksum differs): {AGAIN}")
    try:
        return BundleInfo.model_validate(content), actual
    except ValidationError as error:
        raise InputError(f"{path} is damaged: {first_message(error)}: {AGAIN}") from None


def verify_files(folder: Path, files: dict[str, FileEntry]) -> None:
    """Make sure that the folder holds just `files` and `bundle.json`, byte for byte.

    Raises:
        InputError: a file is missing, additional, changed, cut short, or no plain file.
    """
    for name in files:
        _within(folder, name)
    parents = {parent.as_posix() for name in files for parent in PurePosixPath(name).parents}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        known = name in parents if _is_folder(path) else name in files or name == BUNDLE
        if not known:
            raise InputError(f"{path} does not belong to the bundle: remove it")
    for name, entry in files.items():
        path = folder / name
        if not path.exists():
            raise InputError(f"{path} is missing from the bundle: {AGAIN}")
        _plain_file(path)
        size = path.stat().st_size
        if size != entry.size:
            raise InputError(f"{path} has {size:,} bytes instead of {entry.size:,}: {AGAIN}")
        if file_digest(path) != entry.sha256:
            raise InputError(f"{path} was changed (its sha256 differs): {AGAIN}")


def _within(folder: Path, name: str) -> None:
    """No absolute path, no `..`, nothing that another system may read as such."""
    path = PurePosixPath(name)
    odd = path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name
    if odd or not name or path.as_posix() != name or name == BUNDLE:
        raise InputError(
            f"{folder / BUNDLE} lists the file {name!r}, which leads out of the bundle: {AGAIN}"
        )


def _is_folder(path: Path) -> bool:
    return stat.S_ISDIR(path.lstat().st_mode)


def _plain_file(path: Path) -> None:
    if not stat.S_ISREG(path.lstat().st_mode):
        raise InputError(f"{path} is a link or no plain file: copy the bundle with its files")
