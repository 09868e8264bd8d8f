"""A site in a directory, and a supervised server of it as a process."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from loss.service import Service
from server.wire import Client, get

APP = """
import ctypes
import os
import threading

VERSION = "first"
LOADED_IN = os.getpid()

def app(environ, start_response):
    path, query = environ["PATH_INFO"], environ["QUERY_STRING"]
    if path == "/hold":  # until somebody writes
        os.write(1, b"held\\n")
        with open(query) as fifo:
            fifo.read()
    elif path == "/hang":  # with the GIL
        hang()
    elif path == "/block":  # without the GIL
        ctypes.CDLL(None).sleep(3600)
    elif path == "/orphan":
        orphan()
    elif path == "/refuse":
        start_response("503 Service Unavailable", [("Content-Length", "0")])
        return []
    start_response("200 OK", [("Content-Type", "text/plain")])
    words = {
        "/": os.getpid(),
        "/version": VERSION,
        "/loaded": LOADED_IN,
        "/flags": f"{environ['wsgi.multiprocess']} {environ['wsgi.multithread']}",
    }
    return [str(words.get(path, path)).encode()]

def hang():
    ctypes.PyDLL(None).sleep(3600)

def orphan():
    # A process whose parent ends first: it is given to process 1, and ends with 3.
    if os.fork() == 0:
        if os.fork() == 0:
            os._exit(3)
        os._exit(4)
    os.wait()
"""


def write_site(directory: Path) -> Path:
    """Write the application's file: ``site_app:app``."""
    (directory / "site_app.py").write_text(APP)
    return directory


@contextlib.contextmanager
def running(directory: Path, *options: str, workers: int = 2, **more: Any) -> Iterator[Service]:
    """The application of a directory, when all its workers are ready."""
    options = ("-w", str(workers), *options)
    with Service(*options, app="site_app:app", directory=directory, **more) as service:
        service.wait_address()
        service.wait_workers(workers)
        yield service


def ask(service: Service, target: str = "/") -> str:
    with Client(service.address) as client:
        response = client.exchange(get(target))
    assert response.status == 200
    return response.content.decode()


def edit(directory: Path, old: str, new: str) -> None:
    """Change the application's file; also its size, by which Python sees that it has changed."""
    path = directory / "site_app.py"
    text = path.read_text()
    assert old in text
    changed = path.with_suffix(".new")
    changed.write_text(text.replace(old, new) + "#")
    changed.replace(path)  # whoever reads it meanwhile gets one or the other, and not nothing


_STUCK = r'os.write(1, b"stuck\n"); threading.Event().wait(); '


def get_stuck(directory: Path) -> None:
    """Let the loading of the application come to no end; it says ``stuck`` then."""
    edit(directory, "VERSION = ", f"{_STUCK}VERSION = ")


def get_unstuck(directory: Path) -> None:
    edit(directory, _STUCK, "")


def is_running(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text("utf-8")
    except OSError:
        return False


@contextlib.contextmanager
def held(service: Service, directory: Path) -> Iterator[tuple[Client, Any]]:
    """A request under way, and what lets it end."""
    fifo = directory / "fifo"
    os.mkfifo(fifo)
    with Client(service.address) as client:
        client.send(get(f"/hold?{fifo}"))
        service.wait_for("^held$")

        def let_end() -> None:
            fifo.write_text("")

        yield client, let_end
