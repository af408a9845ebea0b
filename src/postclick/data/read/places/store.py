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
        """The URL of one of its paths."""
        handler = getattr(self.filesystem, "handler", None)
        if isinstance(handler, pa_fs.FSSpecHandler):
            return str(handler.fs.unstrip_protocol(path))
        rest = path.removeprefix(self.root).lstrip("/")
        return f"{self.url}/{rest}" if rest else self.url


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
    shown = f"{scheme}://{authority.rpartition('@')[2]}" if scheme == "s3" else base
    with refusing(f"{shown}/{path}"):  # what stands before @ in s3:// is a secret
        filesystem, root = pa_fs.FileSystem.from_uri(f"{base}/{options}")
    root = root.rstrip("/")
    return Store(filesystem, shown, root), f"{root}/{path.strip('/')}".rstrip("/")


def _open_fsspec(scheme: str, url: str) -> tuple[Store, str]:
    if find_spec("fsspec") is None:
        raise InputError(f"{url}: {scheme}:// needs fsspec: pip install 'postclick[fsspec]'")
    from fsspec.core import url_to_fs
    from fsspec.registry import known_implementations, registry

    if scheme not in registry and scheme not in known_implementations:
        known = ", ".join(BUILT_IN)
        raise InputError(
            f"{url}: no file system is known for {scheme}://: write one of {known}, a protocol "
            "of fsspec, or a path"
        )
    try:
        filesystem, path = url_to_fs(url)
    except ImportError as error:
        raise InputError(f"{url}: {scheme}:// needs another package: {error}") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{url} cannot be opened: {error}") from None
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
        text = " ".join(str(error).split())
        raise InputError(f"{url} cannot be read: {text[:400].rstrip(': ')}: {mend}") from None


def endpoint_of(scheme: str) -> str | None:
    """Where the environment says that a store answers, if it is not its usual place."""
    if scheme != "s3":
        return None
    return os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or None
