"""A supervised server as a process of its own; what is known of it is what it says in its log."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType

from server.wire import wait_until
from stress.process import environment


class Service:
    """``quaich serve APP`` with these options, on a free port, in a session of its own."""

    def __init__(
        self,
        *options: str,
        app: str = "loss.application:application",
        variables: dict[str, str] | None = None,
        before: str = "",
        directory: Path | None = None,
    ) -> None:
        """``before``: Python that is run in the process before the server, ``directory``: where
        it is started."""
        self._log = tempfile.TemporaryFile("w+b")  # noqa: SIM115
        run = f"import sys; {before}; from quaich.cli import main; main(sys.argv[1:])"
        start = ["-c", run] if before else ["-m", "quaich"]
        self._process = subprocess.Popen(
            [sys.executable, *start, "serve", app, "-b", "127.0.0.1:0", *options],
            env={**environment(), **(variables or {})},
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,
            cwd=directory,
        )
        self.pid = self._process.pid
        self.address = ("127.0.0.1", 0)

    def wait_address(self) -> tuple[str, int]:
        """Where it listens, once it does."""
        self.wait_for(r"^Listening on ")
        (port,) = self.find(r"^Listening on https?://127.0.0.1:(\d+)$")[:1]
        self.address = ("127.0.0.1", int(port))
        return self.address

    # --- The log --------------------------------------------------------------------------------

    def text(self) -> str:
        """All that it has written."""
        return os.pread(self._log.fileno(), 1 << 26, 0).decode(errors="replace")

    def find(self, pattern: str) -> list[str]:
        """What the log has of a pattern, as of re.findall."""
        return re.findall(pattern, self.text(), re.M)

    def wait_for(self, pattern: str, times: int = 1, seconds: float = 30.0) -> None:
        """Wait until the log has it so many times."""

        def has_it() -> bool:
            if len(self.find(pattern)) >= times:
                return True
            if self._process.poll() is not None:
                # If a new program has taken over, the session is still there.
                try:
                    os.killpg(self.pid, 0)
                except ProcessLookupError:
                    raise AssertionError(f"it has ended: {self.text()}") from None
            return False

        try:
            wait_until(has_it, f"{times} times {pattern!r}", seconds)
        except AssertionError as error:
            error.add_note(self.text()[-4000:])
            raise

    def ready(self) -> list[int]:
        """The workers that have become ready so far, in their order."""
        return [int(pid) for pid in self.find(r"worker (\d+) is ready")]

    def workers(self) -> list[int]:
        """The workers that are ready and not told to end."""
        gone = {int(pid) for pid in self.find(r"worker (\d+) (?:retires|has|was|does|has given)")}
        return [pid for pid in self.ready() if pid not in gone]

    def wait_workers(self, count: int, seconds: float = 30.0) -> list[int]:
        """Wait until so many workers are ready, and no others are there."""

        def started() -> list[int]:
            ended = {int(pid) for pid in self.find(r"worker (\d+) (?:has ended|was killed)")}
            ids = [int(pid) for pid in self.find(r"worker (\d+) started")]
            return [pid for pid in ids if pid not in ended]

        try:
            wait_until(
                lambda: len(self.workers()) == count == len(started()), f"{count} workers", seconds
            )
        except AssertionError as error:
            error.add_note(self.text()[-4000:])
            raise
        return self.workers()

    # --- The process ----------------------------------------------------------------------------

    def send(self, number: int) -> None:
        self._process.send_signal(number)

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def wait(self, seconds: float = 30.0) -> int:
        """Wait for the end; its exit status."""
        return self._process.wait(seconds)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End it by a signal; its exit status."""
        self.send(number)
        return self.wait()

    def close(self) -> None:
        """End it in any case, with all that it has started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()
        self._log.close()

    def __enter__(self) -> "Service":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is not None:
            error.add_note("the server's log: " + self.text()[-4000:])
        self.close()
