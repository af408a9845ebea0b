"""Serving a bundle, and pointing a server at another one."""

from math import isfinite
from pathlib import Path
from typing import Annotated

import typer

from postclick.cli.shared import app
from postclick.console import one_line_errors

Bundle = Annotated[Path, typer.Argument(help="A bundle, or a symlink to one.")]


@app.command()
def serve(
    bundle: Bundle,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 takes any free port.", min=0, max=65535)] = 8000,
    workers: Annotated[int, typer.Option(help="Model calls at a time.")] = 1,
    threads: Annotated[int, typer.Option(help="Threads of one model call.")] = 1,
    queue: Annotated[int, typer.Option(help="Requests that may wait; beyond it 429.")] = 256,
    timeout: Annotated[float, typer.Option(help="Seconds for one request.")] = 2.0,
    drain_seconds: Annotated[float, typer.Option(help="To finish requests on SIGTERM.")] = 10.0,
    watch: Annotated[
        float | None,
        typer.Option(help="Look every so many seconds whether BUNDLE leads elsewhere."),
    ] = None,
    max_body_mb: Annotated[float, typer.Option(help="Megabytes of one body.")] = 8.0,
    max_candidates: Annotated[int, typer.Option(help="Candidates of one request.")] = 2_000,
    max_columns: Annotated[int, typer.Option(help="Columns of one request.")] = 1_000,
    api_key_file: Annotated[
        Path | None, typer.Option(help="File with the API key; or set POSTCLICK_API_KEY.")
    ] = None,
    pid_file: Annotated[
        Path | None, typer.Option(help="File for the process's number, for 'kill -HUP'.")
    ] = None,
    access_log: Annotated[bool, typer.Option("--access-log", help="Log every request.")] = False,
) -> None:
    """Score over HTTP, in JSON and Arrow; SIGHUP loads what BUNDLE leads to by then.

    \b
    Example: postclick serve bundle --port 8000 --workers 2
    """
    from postclick.extras import require

    with one_line_errors():
        for package in ("fastapi", "uvicorn", "prometheus_client"):
            require(package, "serve", "serving")
        from postclick.serving.bundle.bundle import Bundle as Loaded
        from postclick.serving.http.body.limits import Limits
        from postclick.serving.http.server import ServerSettings
        from postclick.serving.http.server import serve as run

        body_bytes = int(max_body_mb * 1e6) if isfinite(max_body_mb) else 0
        limits = Limits(body_bytes, max_candidates, max_columns, timeout, queue)
        settings = ServerSettings(
            *(bundle, host, port, workers, threads, limits),
            *(drain_seconds, watch, api_key_file, access_log, pid_file),
        )
        run(settings, Loaded.open)


@app.command()
def deploy(
    bundle: Annotated[Path, typer.Argument(help="The bundle to serve.")],
    link: Annotated[Path, typer.Argument(help="The symlink that a server was given.")],
) -> None:
    """Check a bundle, and make a symlink lead to it in one step.

    \b
    Example: postclick deploy bundles/2026-05-02 current
    """
    with one_line_errors():
        from postclick.serving.bundle.bundle import Bundle as Loaded
        from postclick.serving.http.model.bundle_link import point_link, target_of
        from postclick.serving.http.model.served_bundle import open_checked

        checked = open_checked(target_of(bundle).folder, Loaded.open, 1)
        point_link(link, bundle)
    print(f"{link}: version {checked.version} ({checked.method}); a server loads it on SIGHUP")
