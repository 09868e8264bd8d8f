"""Programs as they are deployed, each a process of its own, with a configuration from ``deploy/``.

A configuration is used as it stands there, but for addresses and paths, which are this test's: the
replacements must all be found.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from server.wire import wait_until
from stress.process import environment

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"

PATIENCE = 20.0  # seconds


def free_port() -> int:
    """A port that was free a moment ago: what a proxy listens on, it must be told."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def replaced(name: str, replacements: dict[str, str]) -> str:
    """The text of a file in ``deploy/``, with what this test has instead of what stands there."""
    text = (DEPLOY / name).read_text("utf-8")
    for old, new in replacements.items():
        assert old in text, f"{name} has no {old!r}"
        text = text.replace(old, new)
    return text


class Running:
    """A process that runs, and its log."""

    def __init__(self, process: "subprocess.Popen[bytes]", log: Path) -> None:
        self.process = process
        self._log = log

    @property
    def log(self) -> str:
        """What it has written so far."""
        return self._log.read_text("utf-8", "replace")

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def is_alive(self) -> bool:
        return self.process.poll() is None

    def stop(self) -> int:
        """End it as a supervisor does; its exit code."""
        if self.is_alive():
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)


@contextlib.contextmanager
def running(
    command: list[str], log: Path, ready: Any, prefix: tuple[str, ...] = (), **variables: str
) -> Iterator[Running]:
    """A program, from when ``ready(Running)`` is true. ``prefix``: a command that runs it, as
    ``ip netns exec`` does."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*prefix, *command],
            env={**environment(), **variables},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    program = Running(process, log)
    try:
        wait_until(
            lambda: ready(program) or not program.is_alive(), f"{command[0]} is ready", PATIENCE
        )
        assert program.is_alive(), program.log
        yield program
    except BaseException as error:
        error.add_note(f"the log of {command[0]}:\n{program.log[-3000:]}")
        raise
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def quaich(
    log: Path,
    *options: str,
    app: str = "stress.application:application",
    prefix: tuple[str, ...] = (),
    **variables: str,
) -> Any:
    """``quaich serve`` with these options, from when it listens and its workers are ready."""
    command = [sys.executable, "-m", "quaich", "serve", *options, app]
    return running(command, log, lambda it: "Listening on " in it.log, prefix, **variables)


def connects(address: Any, family: int = socket.AF_INET) -> bool:
    """Whether somebody listens there."""
    with socket.socket(family) as probe:
        return probe.connect_ex(address) == 0


def nginx(path: str, directory: Path, server: str, port: int) -> Any:
    """nginx with ``server``, a part of its configuration, from when ``port`` answers."""
    for name in ("body", "proxy", "fastcgi", "uwsgi", "scgi"):
        (directory / name).mkdir(exist_ok=True)
    user = "user root;\n" if os.geteuid() == 0 else ""
    temporary = "".join(
        f"  {kind}_temp_path {directory / name};\n"
        for kind, name in (
            ("client_body", "body"),
            *((name, name) for name in ("proxy", "fastcgi", "uwsgi", "scgi")),
        )
    )
    configuration = directory / "nginx.conf"
    configuration.write_text(
        f"{user}daemon off;\npid {directory / 'nginx.pid'};\nerror_log stderr warn;\n"
        f"events {{}}\nhttp {{\n  access_log off;\n{temporary}{server}\n}}\n"
    )
    command = [path, "-c", str(configuration), "-p", str(directory)]
    return running(command, directory / "nginx.log", lambda _: connects(("127.0.0.1", port)))


def haproxy(path: str, directory: Path, text: str, ready: Any, prefix: tuple[str, ...] = ()) -> Any:
    """HAProxy with this configuration."""
    configuration = directory / "haproxy.cfg"
    configuration.write_text(text)
    command = [path, "-db", "-f", str(configuration)]
    return running(command, directory / "haproxy.log", ready, prefix)
