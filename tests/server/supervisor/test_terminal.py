"""What a terminal does to a server that was started in it: its size changes, and it is closed."""

import fcntl
import os
import signal
import struct
import termios
from collections.abc import Iterator

import pytest

from loss.service import Service
from quaich.server import stopping
from quaich.server.stopping import FORGOTTEN, Terminal

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


def test_a_terminal_that_is_gone_for_long_was_not_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGHUP would have come at once: so the shell has ended, and has left the process behind."""
    is_there = True
    monkeypatch.setattr(stopping, "has_terminal", lambda: is_there)
    found = Terminal()
    found.look(0.0)
    assert not found.was_closed()
    is_there = False
    found.look(1000.0)
    found.look(1000.0 + FORGOTTEN / 2)
    assert found.was_closed()
    is_there = True
    found.look(1001.0 + FORGOTTEN)
    is_there = False
    found.look(1002.0 + FORGOTTEN)
    assert found.was_closed()
    found.look(1002.0 + 2 * FORGOTTEN)
    assert not found.was_closed()
    assert not found.counts


def test_who_has_no_terminal_does_not_look_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopping, "has_terminal", lambda: False)
    found = Terminal()
    assert not found.counts
    assert not found.was_closed()


@pytest.mark.parametrize(
    ("workers", "words"),
    [(0, "SIGHUP: there are no workers"), (1, "reloaded: all workers are new ones")],
)
def test_left_behind_it_is_one_that_never_had_a_terminal(workers: int, words: str) -> None:
    """As by a shell with `disown`, when that ends."""
    has_it = "iter([True]); it.has_terminal = lambda: next(has_it, False)"
    before = (
        f"import quaich.server.stopping as it; has_it = {has_it}; it.FORGOTTEN = it._LOOK = 0.1"
    )
    app = "loss.application:application"
    with Service("-w", str(workers), app=app, before=f"{before}; {HEEDED}") as service:
        service.wait_for("the terminal is gone")
        service.wait_address()
        service.send(signal.SIGHUP)
        service.wait_for(words)
        assert service.stop() == 0


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
