"""A `postclick` that starts at once: pages have fifty commands, and loading torch takes seconds.

A server process loads torch and scipy once and forks for each command. The command has a process of
its own with the caller's folder, arguments and standard streams; it loads postclick anew, and its
exit code is the caller's. A second process waits for it, so that one command may go on (`postclick
serve`) while others run; all of them end with the server.
"""

import gc
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

# What is slow to load. Not polars: it starts threads, which a fork does not take along.
LIBRARIES = ("torch._dynamo", "scipy.stats", "sklearn.metrics", "typer", "pydantic")

CLIENT = """#!{python} -IS
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as server:
    server.connect({address!r})
    call = json.dumps([os.getcwd(), *sys.argv]).encode()
    socket.send_fds(server, [call], [0, 1, 2])
    code = server.recv(1)
sys.exit(code[0] if code else "postclick: the server of the test is gone")
"""


@contextmanager
def loaded_postclick(folder: Path) -> Iterator[Path]:
    """The folder of a program `postclick`, while its server runs; `folder` has a short path."""
    address, bin_folder = folder / "socket", folder / "bin"
    client = bin_folder / "postclick"
    bin_folder.mkdir()
    client.write_text(CLIENT.format(python=sys.executable, address=str(address)), encoding="utf-8")
    client.chmod(0o755)
    command = [sys.executable, __file__, str(address)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as server:
        assert server.stdout is not None and server.stdout.readline() == "ready\n"
        try:
            yield bin_folder
        finally:
            os.killpg(server.pid, signal.SIGTERM)


def serve(address: str) -> None:
    for library in LIBRARIES:
        import_module(library)
    gc.collect()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those that attend
    gc.freeze()  # no command looks through what is loaded here
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(address)
        server.listen()
        print("ready", flush=True)
        while True:
            caller, _ = server.accept()
            with caller:
                call, streams, _, _ = socket.recv_fds(caller, 65_536, 3)
                if not os.fork():
                    _attend(caller, streams, *json.loads(call))
                for stream in streams:
                    os.close(stream)


def _attend(caller: socket.socket, streams: list[int], *call: str) -> None:
    """Run the command in a process of its own, tell the caller its exit code, and end."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    child = os.fork()
    if not child:
        _become(streams, *call)
    for stream in streams:
        os.close(stream)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    caller.send(bytes([status % 256]))
    os._exit(0)


def _become(streams: list[int], folder: str, *arguments: str) -> None:
    """Run the command in this process, which then ends."""
    for standard, stream in enumerate(streams):
        os.dup2(stream, standard)
    os.chdir(folder)
    sys.argv = list(arguments)
    from postclick.cli import main

    main()
    sys.exit()


if __name__ == "__main__":
    serve(sys.argv[1])
