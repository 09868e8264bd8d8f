"""A server as a process, with the probe's application, on a free port.

The application is a package of its own, copied to a place from which the server imports it: the
server may run in another Python than ours.
"""

import contextlib
import os
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

from quaich.conformance.probe import application

MODULE: Final = "quaich_probe_app"
APPLICATION: Final = f"{MODULE}:application"

_START_SECONDS: Final = 60.0
_OTHER_SECONDS: Final = 5.0  # that a server may answer otherwise than the probe's application does
_ANSWER_SECONDS: Final = 5.0
_ANSWER_MAX: Final = 1 << 16  # bytes
_STOP_SECONDS: Final = 5.0
_SAID_MAX: Final = 1 << 16  # bytes of what a server prints that are kept

_GREETING: Final = b"Hello, probe!"  # of the application's program ``hello``


class CannotStart(Exception):
    """The server does not serve; ``str()`` says why, with what it said itself."""


@dataclass
class Running:
    """A server that answers. ``host``: where it has been found."""

    host: str
    port: int
    process: subprocess.Popen[bytes]
    _said: bytearray = field(default_factory=bytearray)
    _listener: threading.Thread | None = None

    def said(self) -> str:
        """The end of what it has printed."""
        return bytes(self._said[-2000:]).decode("utf-8", "replace")

    def last_words(self) -> str:
        """The same, once the process has ended: what it said last may still be in the pipe."""
        self.wait_for_the_end_of_the_pipe()
        return self.said()

    def listen(self) -> None:
        """Begin to take what it prints."""
        self._listener = threading.Thread(
            target=self._listen, args=(self.process.stdout,), daemon=True
        )
        self._listener.start()

    def wait_for_the_end_of_the_pipe(self) -> None:
        """Shortly: a process that it has left behind may have the pipe for ever."""
        if self._listener is not None:
            self._listener.join(1.0)

    def _listen(self, stream: IO[bytes]) -> None:
        """Take what it prints until nobody can print any more, and keep the end: a pipe that
        nobody reads would stop the server, and a file might grow without bounds."""
        with stream:
            while data := os.read(stream.fileno(), 1 << 16):
                self._said += data
                del self._said[:-_SAID_MAX]


@contextlib.contextmanager
def launched(
    command: str, host: str = "127.0.0.1", kind: str = "function", *, is_ours: bool = True
) -> Iterator[Running]:
    """Start a server and wait until it answers; end it, and all that it has started.

    ``command`` is split as a shell splits words, and no shell runs it; ``{port}``, ``{host}``,
    ``{app}`` (``module:application``), ``{module}`` and ``{file}`` are replaced. ``kind``: which
    kind of callable the application is (see ``application``). ``is_ours``: the application has to
    be the probe's. Raises :class:`CannotStart`.
    """
    with tempfile.TemporaryDirectory(prefix="quaich-probe-", ignore_cleanup_errors=True) as place:
        directory = Path(place)
        file = _put_application(directory)
        port = _free_port(host)
        words = _words(
            command,
            {
                "{port}": str(port),
                "{host}": host,
                "{app}": APPLICATION,
                "{module}": MODULE,
                "{file}": str(file),
            },
        )
        try:
            process = subprocess.Popen(
                words,
                cwd=directory,
                env=_variables(directory, kind),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:  # ValueError: NUL in the command
            raise CannotStart(f"it cannot be run: {getattr(error, 'strerror', error)}") from error
        running = Running(host, port, process)
        try:
            running.listen()
            _wait(running, is_ours)
            yield running
        finally:
            _end(process, directory)
            running.wait_for_the_end_of_the_pipe()


def _put_application(directory: Path) -> Path:
    """Copy the application to where it is imported from. Returns a file that has it too, for
    servers that take a file: such a file is not part of a package, and so imports by name."""
    source = Path(str(application.__file__)).parent
    shutil.copytree(source, directory / MODULE, ignore=shutil.ignore_patterns("__pycache__"))
    file = directory / f"{MODULE}_file.py"
    file.write_text(f"from {MODULE} import *\nfrom {MODULE} import application\n", "utf-8")
    return file


def split(command: str) -> list[str]:
    """A command's words, at least one. Raises :class:`CannotStart`."""
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise CannotStart(f"{command!r} cannot be split into words: {error}") from error
    if not words:
        raise CannotStart("the command is empty")
    return words


def _words(command: str, places: dict[str, str]) -> list[str]:
    words = split(command)
    for name, value in places.items():
        words = [word.replace(name, value) for word in words]
    return words


def _variables(directory: Path, kind: str) -> dict[str, str]:
    """The server's environment."""
    paths = [str(directory), os.environ.get("PYTHONPATH", "")]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "PYTHONDONTWRITEBYTECODE": "1",
        "WSGI_PROBE_LOG": str(directory / "log.jsonl"),
        "WSGI_PROBE_CALLABLE": kind,
        # Of the process: neither must get into an environ (S31, S86).
        "HTTP_X_QUAICH_PROBE_PROCESS": "this is no field",
        "PROBE_WORD": "café €",
    }


def _free_port(host: str) -> int:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as sock:
        sock.bind((host, 0))
        port: int = sock.getsockname()[1]
        return port


# --- Waiting for it ---------------------------------------------------------------------------


def _wait(running: Running, is_ours: bool) -> None:
    """Until it answers; ``running.host`` is then where. Raises :class:`CannotStart`."""
    hosts = [running.host, "::1"] if running.host == "127.0.0.1" else [running.host]
    deadline = time.monotonic() + _START_SECONDS
    answered = b""
    while time.monotonic() < deadline:
        if running.process.poll() is not None:
            hint = "" if running.process.returncode else " (it has to stay in the foreground)"
            said = running.last_words()
            raise CannotStart(
                f"the server ended with {running.process.returncode}{hint};"
                + (f" it said:\n{said}" if said.strip() else " it said nothing")
            )
        for host in hosts:
            answer = ask_hello(host, running.port)
            if _GREETING in answer or (answer and not is_ours):
                running.host = host
                return
            if answer and not answered:
                # It may be about to load the application.
                answered = answer
                deadline = min(deadline, time.monotonic() + _OTHER_SECONDS)
        time.sleep(0.05)
    if answered:
        line = answered[:60].split(b"\r\n")[0]
        raise CannotStart(
            f"the server does not serve the probe's application, but answers {line!r}; is {{app}}"
            f" or {{module}} in the command? It said:\n{running.said()}"
        )
    raise CannotStart(
        f"the server did not answer within {_START_SECONDS:g} s at {' or '.join(hosts)}, port"
        f" {running.port}; is {{port}} in the command? It said:\n{running.said()}"
    )


def ask_hello(host: str, port: int) -> bytes:
    """What a server says to an ordinary request, up to the greeting of the probe's application;
    nothing if nobody answers."""
    name = f"[{host}]" if ":" in host else host
    request = f"GET /hello HTTP/1.1\r\nHost: {name}:{port}\r\nConnection: close\r\n\r\n"
    deadline = time.monotonic() + _ANSWER_SECONDS
    answer = b""
    with contextlib.suppress(OSError), socket.create_connection((host, port), 1.0) as sock:
        sock.sendall(request.encode())
        while (
            _GREETING not in answer
            and len(answer) < _ANSWER_MAX
            and (left := deadline - time.monotonic()) > 0
        ):
            sock.settimeout(left)
            data = sock.recv(4096)
            if not data:
                break
            answer += data
    return answer


def is_application(answer: bytes) -> bool:
    """Whether it was the probe's application that gave this answer."""
    return _GREETING in answer


# --- Ending it --------------------------------------------------------------------------------


def _end(process: subprocess.Popen[bytes], directory: Path) -> None:
    """End the server's group of processes, and what has left the group."""
    try:
        _signal_group(process, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_SECONDS)
    finally:  # not even an impatient second Ctrl-C leaves anything behind
        _signal_group(process, signal.SIGKILL)
        for pid in _left_behind(directory):
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_SECONDS)


def _signal_group(process: subprocess.Popen[bytes], number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def _left_behind(directory: Path) -> list[int]:
    """Processes that have the server's variables, such as daemons with a session of their own.
    Where there is no /proc, they cannot be told."""
    mark = f"WSGI_PROBE_LOG={directory}/".encode()
    found = []
    for each in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if mark in (each / "environ").read_bytes():
                found.append(int(each.name))
    return found
