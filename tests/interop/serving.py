"""A server as users start it: ``quaich serve`` in a process of its own, and what it has said."""

import contextlib
import os
import queue
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent

PATIENCE = 30.0
"""Seconds: what must happen, happens at once; this ends a test in which it does not."""

_LISTENING = re.compile(r"Listening on https?://(127\.0\.0\.1):([0-9]+)")


class Served:
    """A server that runs. ``said``: its lines on stderr, but that of its address.
    ``is_streamed``: the application reads the content itself. ``has_one_thread``: a client that
    waits for 100 is not given the only thread, so it gets its 100 before the application is
    called."""

    def __init__(
        self,
        process: subprocess.Popen[str],
        access_log: Path | None,
        *,
        is_streamed: bool,
        has_one_thread: bool,
    ) -> None:
        self.is_streamed = is_streamed
        self.has_one_thread = has_one_thread
        self._process = process
        self._access_log = access_log
        self.said: list[str] = []
        self._first: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        line = self._first.get(timeout=PATIENCE)
        found = _LISTENING.search(line)
        if found is None:
            self._reader.join(PATIENCE)
            raise RuntimeError("\n".join(["the server does not listen:", line, *self.said]))
        self.host, self.port = found[1], int(found[2])
        self.url = f"http://{self.host}:{self.port}"

    def _read(self) -> None:
        assert self._process.stderr is not None
        is_first = True
        for line in self._process.stderr:
            if is_first and not _LISTENING.search(line):
                self.said.append(line.rstrip())  # a warning of a framework's, say
            elif is_first:
                is_first = False
                self._first.put(line)
            else:
                self.said.append(line.rstrip())
        if is_first:
            self._first.put("")

    def stop(self) -> None:
        """End it as a supervisor does; it must end well."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        code = self._process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        if code:
            raise RuntimeError("\n".join([f"the server ended with {code}:", *self.said]))

    def logged(self) -> list[str]:
        """The lines of the access log. All of them are there once the server has stopped."""
        if self._access_log is None:
            raise ValueError("there is no access log")
        return self._access_log.read_text("utf-8").splitlines()


@contextlib.contextmanager
def serve(
    app: str, *options: str, directory: Path = HERE, access_log: Path | None = None
) -> Iterator[Served]:
    """``quaich serve`` of this interpreter; ``directory`` is where the module is."""
    command = ["-m", "quaich", "serve", "-b", "127.0.0.1:0", "--app-dir", str(directory)]
    if access_log is not None:
        command += ["--access-logfile", str(access_log)]
    with running([*command, *options, app], access_log) as served:
        yield served


@contextlib.contextmanager
def running(
    arguments: list[str], access_log: Path | None = None, pass_fds: tuple[int, ...] = ()
) -> Iterator[Served]:
    """Any server, as a process of this interpreter, that says where it listens."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("QUAICH_")
    }
    with subprocess.Popen(
        [sys.executable, *arguments],
        env=environment | {"PYTHONDONTWRITEBYTECODE": "1"},
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        pass_fds=pass_fds,
    ) as process:
        try:
            served = Served(
                process,
                access_log,
                is_streamed="--stream-body" in arguments,
                has_one_thread="--threads 1" in " ".join(arguments),
            )
            yield served
            served.stop()
        finally:
            process.kill()
