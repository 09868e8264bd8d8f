"""A server as a process, with the probe's application, on a free port.

The application is a file of its own, copied to a place from which the server imports it: the server
may run in another Python than ours.
"""

import contextlib
import os
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from quaich.conformance.probe import application

MODULE: Final = "quaich_probe_app"
APPLICATION: Final = f"{MODULE}:application"

_START_SECONDS: Final = 20.0
_STOP_SECONDS: Final = 5.0


class CannotStart(Exception):
    """The server does not serve; ``str()`` says why, with what it said itself."""


@dataclass(frozen=True)
class Running:
    """A server that answers."""

    host: str
    port: int
    process: subprocess.Popen[bytes]
    output: Path  # what it prints

    def said(self) -> str:
        """The end of what it has printed."""
        return self.output.read_text("utf-8", "replace")[-2000:]


@contextlib.contextmanager
def launched(command: str, host: str = "127.0.0.1") -> Iterator[Running]:
    """Start a server and wait until it accepts connections; end it, and all that it has started.

    ``command`` is split as a shell splits words, and no shell runs it; ``{port}``, ``{host}``,
    ``{app}`` (``module:application``), ``{module}`` and ``{file}`` are replaced. Raises
    :class:`CannotStart`.
    """
    with tempfile.TemporaryDirectory(prefix="quaich-probe-", ignore_cleanup_errors=True) as place:
        directory = Path(place)
        file = directory / f"{MODULE}.py"
        shutil.copyfile(str(application.__file__), file)
        port = _free_port(host)
        places = {
            "{port}": str(port),
            "{host}": host,
            "{app}": APPLICATION,
            "{module}": MODULE,
            "{file}": str(file),
        }
        words = shlex.split(command)
        for name, value in places.items():
            words = [word.replace(name, value) for word in words]
        output = directory / "output.txt"
        variables = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([place, os.environ.get("PYTHONPATH", "")]).rstrip(":"),
            "PYTHONDONTWRITEBYTECODE": "1",
            "WSGI_PROBE_LOG": str(directory / "log.jsonl"),
            # Of the process: neither must get into an environ (S31, S86).
            "HTTP_X_QUAICH_PROBE_PROCESS": "this is no field",
            "PROBE_WORD": "café €",
        }
        with output.open("wb") as stream:
            try:
                process = subprocess.Popen(
                    words,
                    cwd=directory,
                    env=variables,
                    stdin=subprocess.DEVNULL,
                    stdout=stream,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            except OSError as error:
                raise CannotStart(f"{words[0]}: {error.strerror}") from error
        running = Running(host, port, process, output)
        try:
            _wait(running)
            yield running
        finally:
            _end(process)


def _free_port(host: str) -> int:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as sock:
        sock.bind((host, 0))
        port: int = sock.getsockname()[1]
        return port


def _wait(running: Running) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if running.process.poll() is not None:
            raise CannotStart(
                f"the server ended with {running.process.returncode}; it said:\n{running.said()}"
            )
        try:
            with socket.create_connection((running.host, running.port), 1.0) as sock:
                sock.settimeout(5.0)
                sock.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                if sock.recv(4096):
                    return
        except OSError:
            pass
        time.sleep(0.05)
    raise CannotStart(
        f"the server did not answer within {_START_SECONDS:g} s; it said:\n{running.said()}"
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            continue
    # What it has started may have outlived it.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
