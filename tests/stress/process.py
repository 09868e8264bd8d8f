"""The server as a process of its own, and what the system says of it."""

import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType

import quaich
from server.wire import wait_until

TESTS = Path(__file__).resolve().parent.parent
SOURCES = Path(quaich.__file__).resolve().parent.parent

# Lowers the hard limit of descriptors, then becomes the server.
_LIMITED = (
    "import os, resource, sys;"
    "resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[1]),) * 2);"
    "os.execv(sys.executable, [sys.executable, *sys.argv[2:]])"
)


def environment() -> dict[str, str]:
    """In which a process finds Quaich and these programs."""
    paths = [str(SOURCES), str(TESTS)]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONUNBUFFERED": "1"}


class Process:
    """``quaich serve stress.application:application`` with these options, on a free port.

    ``descriptors``: as many as it may have. ``variables``: of its environment, besides.
    """

    def __init__(
        self,
        *options: str,
        descriptors: int | None = None,
        variables: dict[str, str] | None = None,
    ) -> None:
        self._log = tempfile.TemporaryFile("w+b")  # noqa: SIM115
        command = ["-m", "quaich", "serve", "stress.application:application"]
        command += ["-b", "127.0.0.1:0", *options]
        if descriptors is not None:
            command = ["-c", _LIMITED, str(descriptors), *command]
        self._process = subprocess.Popen(
            [sys.executable, *command],
            env={**environment(), **(variables or {})},
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
        )
        self.pid = self._process.pid
        try:
            wait_until(self._listens, "the server's first line", 20)
        except BaseException:
            self.close()
            raise
        self.address = ("127.0.0.1", int(self._found[1]))
        self.own = self._settled_descriptors()
        """Descriptors that it has without a connection."""

    def _listens(self) -> bool:
        found = re.search(r"^Listening on http://127\.0\.0\.1:([0-9]+)$", self._text(), re.M)
        if found is not None:
            self._found = found
        elif not self.is_alive():
            raise AssertionError(f"the server ended: {self._text()}")
        return found is not None

    def _settled_descriptors(self) -> int:
        # A thread that begins opens a file for an instant, which would be counted for good.
        readings = [-1] * 4

        def agree() -> bool:
            readings.append(self.descriptors())
            return len(set(readings[-4:])) == 1

        wait_until(agree, "as many descriptors at each look")
        return readings[-1]

    def _text(self) -> str:
        return os.pread(self._log.fileno(), 1 << 24, 0).decode()

    def log(self) -> list[str]:
        """What the server has written, but for where it listens."""
        return [line for line in self._text().splitlines() if not line.startswith("Listening on ")]

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def _status(self, name: str) -> int:
        text = Path(f"/proc/{self.pid}/status").read_text("utf-8")
        return int(text.partition(f"\n{name}:")[2].split()[0])

    def memory(self) -> int:
        """Resident memory, KiB."""
        return self._status("VmRSS")

    def peak(self) -> int:
        """The most resident memory so far, KiB."""
        return self._status("VmHWM")

    def threads(self) -> int:
        """Threads but for the main one, which only waits."""
        return self._status("Threads") - 1

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/fd"))  # noqa: PTH208

    def cpu(self) -> float:
        """Seconds of processor time so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text("utf-8").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self, seconds: float = 20) -> int:
        """End it by SIGTERM; its exit status."""
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(seconds)

    def close(self) -> None:
        """End it in any case."""
        if self.is_alive():
            self._process.kill()
        self._process.wait()
        self._log.close()

    def __enter__(self) -> "Process":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is not None:
            error.add_note("the server's log: " + "\n".join(self.log()[-20:]))
        self.close()
