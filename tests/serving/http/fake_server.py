"""A server of fake bundles in a process of its own: python -m serving.http.fake_server JSON."""

import json
import sys
from pathlib import Path

from postclick.console import one_line_errors
from postclick.serving.http.body.limits import Limits
from postclick.serving.http.server import ServerSettings, serve
from serving.http.fake import FakeBundle


def main() -> None:
    given = json.loads(sys.argv[1])
    limits = Limits(**given.pop("limits", {}))
    given |= {name: Path(given[name]) for name in ("api_key_file", "pid_file") if name in given}
    settings = ServerSettings(Path(given.pop("bundle")), limits=limits, **given)
    with one_line_errors():
        serve(settings, FakeBundle.open)
    assert "torch" not in sys.modules


if __name__ == "__main__":
    main()
