"""What a terminal does to a server that was started in it: its size changes, and it is closed."""

import fcntl
import os
import signal
import struct
import termios
from collections.abc import Iterator

import pytest

from loss.service import Service

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(not hasattr(os, "openpty"), reason="this system has no such terminals"),
]

# The session's own terminal, and that of what it runs.
TAKE_IT = "import fcntl, os, termios; fcntl.ioctl(os.open({!r}, os.O_RDWR), termios.TIOCSCTTY, 0)"

# Whoever runs the tests may have been started with nohup.
HEEDED = "import signal; signal.signal(signal.SIGHUP, signal.SIG_DFL)"


@pytest.fixture
def terminal() -> Iterator[tuple[int, str]]:
    """The end of who looks at a terminal, and the name of the other one."""
    ours, theirs = os.openpty()
    yield ours, os.ttyname(theirs)
    for fd in (ours, theirs):
        try:
            os.close(fd)
        except OSError:
            pass


def started(terminal: tuple[int, str], workers: int, before: str = "pass") -> Service:
    app = "loss.application:application"
    before = f"{TAKE_IT.format(terminal[1])}; {HEEDED}; {before}"
    return Service("-w", str(workers), app=app, before=before)


@pytest.mark.parametrize("workers", [0, 1])
def test_it_ends_with_its_terminal(terminal: tuple[int, str], workers: int) -> None:
    """Who closes a window does not mean a reload, which is what SIGHUP is else."""
    with started(terminal, workers) as service:
        service.wait_address()
        os.close(terminal[0])
        assert service.wait() == 0


def test_the_size_of_the_window_is_nothing_to_it(terminal: tuple[int, str]) -> None:
    with started(terminal, 1) as service:
        service.wait_address()
        fcntl.ioctl(terminal[0], termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
        service.send(signal.SIGTTIN)
        service.wait_for("2 workers from now on")
        assert "0 workers from now on" not in service.text()


def test_a_reload_is_one_as_long_as_the_terminal_is_there(terminal: tuple[int, str]) -> None:
    with started(terminal, 1) as service:
        service.wait_address()
        service.send(signal.SIGHUP)
        service.wait_for("reloaded: all workers are new ones")


@pytest.mark.parametrize(
    ("workers", "words"),
    [(0, "SIGHUP: there are no workers"), (1, "reloaded: all workers are new ones")],
)
def test_with_nohup_it_goes_on_without_its_terminal(
    terminal: tuple[int, str], workers: int, words: str
) -> None:
    nohup = "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)"
    with started(terminal, workers, nohup) as service:
        service.wait_address()
        os.close(terminal[0])
        service.wait_for(words)
        assert service.stop() == 0
