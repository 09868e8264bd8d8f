"""A single process: the order in which things are done, and the signs of life."""

import threading
from functools import partial
from typing import Any

import pytest

from quaich import Server
from quaich.server import running
from quaich.server.listeners.listening import CannotListen
from quaich.server.stopping import Stopping
from quaich.server.system import process
from quaich.settings import settings
from server.applications import hello
from server.wire import wait_until


class Loop:
    """A server's loop, which comes round when it is nudged, as long as it moves."""

    def __init__(self) -> None:
        self.beat = 0.0
        self.nudges = 0
        self.moves = True

    def nudge(self) -> None:
        self.nudges += 1
        self.beat += self.moves


class Manager:
    """Counts signs of life."""

    watchdog_interval = 0.002

    def __init__(self) -> None:
        self.told = 0

    def watchdog(self) -> None:
        self.told += 1


def test_a_loop_that_stands_still_gives_no_signs_of_life() -> None:
    """The process is then to be restarted, though one of its threads is alive."""
    loop, manager = Loop(), Manager()
    server: Any = loop
    notifier: Any = manager
    with running._watchdog(notifier, server):
        wait_until(lambda: manager.told >= 5, "signs of life")
        loop.moves = False
        nudges = loop.nudges
        wait_until(lambda: loop.nudges >= nudges + 5, "some looks")
        told, nudges = manager.told, loop.nudges
        wait_until(lambda: loop.nudges >= nudges + 5, "some more looks")
        assert manager.told == told
        loop.moves = True
        wait_until(lambda: manager.told > told, "another one")
    assert not any(each.name == "quaich-watchdog" for each in threading.enumerate())


def test_nobody_waits_for_signs_of_life() -> None:
    loop, manager = Loop(), Manager()
    server: Any = loop
    notifier: Any = manager
    notifier.watchdog_interval = None
    with running._watchdog(notifier, server):
        pass
    assert (loop.nudges, manager.told) == (0, 0)


def test_a_server_that_is_idle_comes_round_when_it_is_nudged() -> None:
    with Server(hello, bind="127.0.0.1:0") as server:
        for _ in range(5):
            before = server.beat
            server.nudge()
            wait_until(partial(_has_moved, server, before), "it comes round")


def _has_moved(server: Server, before: float) -> bool:
    return server.beat > before


def test_all_is_opened_before_privileges_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    """A port below 1024, a directory that is root's: also for the pages of an operator."""
    done: list[str] = []

    def drop(*args: Any) -> None:
        done.append("drop")
        raise CannotListen("x", "", "enough")

    for name in ("open_all", "open_pages", "certificates_of", "open_access_log"):
        real = getattr(running, name)

        def call(*args: Any, name: str = name, real: Any = real) -> Any:
            done.append(name)
            return real(*args)

        monkeypatch.setattr(running, name, call)
    monkeypatch.setattr(process, "drop_privileges", drop)
    given = settings(bind="127.0.0.1:0", admin_bind="127.0.0.1:0")
    with Stopping() as stopping, pytest.raises(CannotListen):
        running.serve_until(stopping, lambda: hello, given)
    assert done[-1] == "drop"
    assert {*done[:-1]} == {"open_all", "open_pages", "certificates_of", "open_access_log"}
