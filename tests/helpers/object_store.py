"""A local server that speaks S3, and files in it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BUCKET = "lake"
_NAMES = (
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL"),
    "AWS_EC2_METADATA_DISABLED",
)


@dataclass
class ObjectStore:
    """A bucket `lake` on a server of this machine."""

    client: Any
    endpoint: str

    def put(self, name: str, source: Path | bytes) -> str:
        """Store a file, or all files of a folder, and give the URL."""
        if isinstance(source, Path) and source.is_dir():
            for file in source.rglob("*"):
                if file.is_file():
                    self.put(f"{name}/{file.relative_to(source).as_posix()}", file)
        else:
            data = source if isinstance(source, bytes) else source.read_bytes()
            self.client.put_object(Bucket=BUCKET, Key=name, Body=data)
        return f"s3://{BUCKET}/{name}"


@contextmanager
def object_store() -> Iterator[ObjectStore]:
    """The server, with an environment that points to it; both are gone at the end."""
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    before = {name: os.environ.get(name) for name in _NAMES}
    values = ("key", "secret", "us-east-1", endpoint, "true")
    os.environ.update(dict(zip(_NAMES, values, strict=True)))
    try:
        client = boto3.client("s3")
        client.create_bucket(Bucket=BUCKET)
        yield ObjectStore(client, endpoint)
    finally:
        server.stop()
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
