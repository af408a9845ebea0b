"""Object stores behind URLs, through pyarrow's file systems or, for other protocols, fsspec."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

import pyarrow as pa
import pyarrow.fs as pa_fs

from postclick.errors import InputError

# Protocols that pyarrow speaks itself, and other names of them.
BUILT_IN = ("s3", "gs", "gcs", "abfs", "abfss", "hdfs", "viewfs")
SAME_AS = {"s3a": "s3", "s3n": "s3"}
# Options after the path that pyarrow takes: s3://bucket/key?region=eu-west-1. A lone "?" is a glob.
_OPTIONS = re.compile(r"\?\w+=[^/&]*(?:&\w+=[^/&]*)*$")
# What a URL may hold that is nobody else's to know: a name and password, a signature.
_USER = re.compile(r"(?<=://)[^/?#]*@")
_QUERY = re.compile(r"(?<=^http)(s?://[^?#]*).*|\?\w[^?/]*=.*()", re.DOTALL | re.IGNORECASE)
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]+)://(.*)", re.DOTALL)
_CREDENTIALS = {
    "s3": "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_DEFAULT_REGION and, where it is not "
    "Amazon's, AWS_ENDPOINT_URL",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS",
    "gcs": "GOOGLE_APPLICATION_CREDENTIALS",
    "abfs": "AZURE_STORAGE_KEY, or what 'az login' stored",
    "abfss": "AZURE_STORAGE_KEY, or what 'az login' stored",
    "hdfs": "JAVA_HOME, HADOOP_HOME and CLASSPATH of a Hadoop client",
    "viewfs": "JAVA_HOME, HADOOP_HOME and CLASSPATH of a Hadoop client",
}


@dataclass(frozen=True)
class Store:
    """A file system and how its paths are written as URLs.

    `url` is what stands for the paths' beginning `root`:

    >>> Store(pa_fs.LocalFileSystem(), "s3://bucket", "bucket").url_of("bucket/a/b")
    's3://bucket/a/b'
    """

    filesystem: Any = field(compare=False)
    url: str
    root: str

    def url_of(self, path: str) -> str:
        """The URL of one of its paths, as it may be told."""
        url = self.address_of(path)
        return shown(url) if self._is_fsspec else url

    @property
    def _is_fsspec(self) -> bool:
        return isinstance(getattr(self.filesystem, "handler", None), pa_fs.FSSpecHandler)

    def address_of(self, path: str) -> str:
        """The URL by which other libraries find one of its paths."""
        if self._is_fsspec:
            return str(self.filesystem.handler.fs.unstrip_protocol(path))
        rest = path.removeprefix(self.root).lstrip("/")
        return f"{self.url}/{rest}" if rest else self.url


def shown(url: str) -> str:
    """A URL as messages and files may tell it, without user, password, query and fragment.

    A lone question mark, as globs have it, stays.

    >>> shown("https://user:password@host/log.csv?sig=x"), shown("memory://logs/log?.csv")
    ('https://host/log.csv', 'memory://logs/log?.csv')
    """
    return _QUERY.sub(r"\1", _USER.sub("", url))


def told_by(error: Exception) -> str:
    """What an error says, in one line, its URLs as they may be told."""
    text = " ".join(str(error).split())
    return re.sub(r"[A-Za-z][A-Za-z0-9+.\-]+://[^\s'\"]+", lambda found: shown(found[0]), text)


def is_url(value: object) -> bool:
    """Whether a text names a place by protocol.

    >>> is_url("s3://bucket/log"), is_url("C:/log.csv"), is_url("log.csv")
    (True, False, False)
    """
    return isinstance(value, str) and _URL.match(value) is not None


def open_store(url: str) -> tuple[Store, str]:
    """The store that a URL names, and the path in it.

    Credentials, region and endpoint are those of the environment, as the stores' own libraries
    read them.

    Raises:
        InputError: no library for the protocol is installed, or it refuses.
    """
    match = _URL.match(url)
    assert match is not None
    scheme, rest = match[1].lower(), match[2]
    scheme = SAME_AS.get(scheme, scheme)
    if scheme not in BUILT_IN:
        return _open_fsspec(scheme, url)
    options = found[0] if (found := _OPTIONS.search(rest)) else ""
    authority, _, path = rest.removesuffix(options).partition("/")
    base = f"{scheme}://{authority}"
    # What stands before @ is a secret in s3://, the container in abfss://.
    public = shown(base) if scheme == "s3" else base
    with refusing(f"{public}/{path}"):
        filesystem, root = pa_fs.FileSystem.from_uri(f"{base}/{options}")
    root = root.rstrip("/")
    return Store(filesystem, public, root), f"{root}/{path.strip('/')}".rstrip("/")


def _open_fsspec(scheme: str, url: str) -> tuple[Store, str]:
    if find_spec("fsspec") is None:
        raise InputError(f"{shown(url)}: {scheme}:// needs fsspec: pip install 'postclick[fsspec]'")
    from fsspec.core import url_to_fs
    from fsspec.registry import known_implementations, registry

    if scheme not in registry and scheme not in known_implementations:
        known = ", ".join(BUILT_IN)
        raise InputError(
            f"{shown(url)}: no file system is known for {scheme}://: write one of {known}, "
            "a protocol of fsspec, or a path"
        )
    try:
        filesystem, path = url_to_fs(url)
    except ImportError as error:
        raise InputError(f"{shown(url)}: {scheme}:// needs another package: {error}") from None
    except (OSError, ValueError) as error:
        text = told_by(error)
        raise InputError(f"{shown(url)} cannot be opened: {text}") from None
    wrapped = pa_fs.PyFileSystem(pa_fs.FSSpecHandler(filesystem))
    return Store(wrapped, f"{scheme}://", ""), path


@contextmanager
def refusing(url: str) -> Iterator[None]:
    """Turn what a store's library raises into one line with the mend.

    Raises:
        InputError: in place of any error but a missing file.
    """
    try:
        yield
    except FileNotFoundError:
        raise
    except (OSError, pa.ArrowException, RuntimeError) as error:
        scheme = url.partition("://")[0]
        settings = _CREDENTIALS.get(scheme)
        mend = f"check the name and {settings}" if settings else "check the name and its settings"
        text = told_by(error)
        raise InputError(f"{url} cannot be read: {text[:400].rstrip(': ')}: {mend}") from None


def endpoint_of(scheme: str) -> str | None:
    """Where the environment says that a store answers, if it is not its usual place."""
    if scheme != "s3":
        return None
    return os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or None
