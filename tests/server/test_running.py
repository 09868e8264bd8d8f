"""A single process: the order in which things are done, and the signs of life."""

import socket
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import quaich
from quaich import Server
from quaich.server import running
from quaich.server.listeners.listening import CannotListen
from quaich.server.stopping import Stopping
from quaich.server.system import process
from quaich.settings import SettingError, Settings, settings
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


# --- An application that is none -------------------------------------------------------------


@pytest.mark.parametrize("serve", [quaich.serve, Server])
@pytest.mark.parametrize(
    ("application", "line"),
    [
        (
            "shop.web:app",
            "'shop.web:app', a str, which cannot be called; import it: from shop.web import app",
        ),
        ("shop", "'shop', a str, which cannot be called; import it"),
        (7, "7, an int, which cannot be called"),
        (None, "None, which cannot be called"),
        (b"x" * 99, f"b'{'x' * 78}…, a bytes, which cannot be called"),
    ],
)
def test_an_application_has_to_be_one_that_can_be_called(
    serve: Callable[..., object], application: Any, line: str
) -> None:
    """As command lines have it, it would be answered with 500 to each request."""
    with pytest.raises(TypeError) as caught:
        serve(application, bind="127.0.0.1:0")
    assert str(caught.value) == f"the application is {line}"


# --- The pages of an operator, and the others ------------------------------------------------


def test_the_pages_have_an_address_of_their_own(tmp_path: Path) -> None:
    """Otherwise it would be looked for who else has it."""

    def pages(bind: str, admin_bind: str) -> Settings:
        return settings(bind=bind, admin_bind=admin_bind)

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for bind, admin in (
            (f"127.0.0.1:{port}", f"127.0.0.1:{port}"),
            (f":0,:{port}", f"127.0.0.1:{port}"),
        ):
            with pytest.raises(SettingError) as caught:
                running.open_pages(pages(bind, admin))
            assert str(caught.value) == (
                f"admin_bind: {admin} is an address of --bind already; it takes one of its own"
            )
        with pytest.raises(CannotListen) as other:
            running.open_pages(pages("127.0.0.1:0", f"127.0.0.1:{port}"))
        assert other.value.is_taken
    shared = settings(bind=":1", admin_bind=":1", reuse_port=True, workers=1)
    with pytest.raises(SettingError, match="--bind already"):
        running.open_pages(shared)
    path = tmp_path / "socket"
    with Server(hello, bind=f"unix:{path}"), pytest.raises(SettingError, match="--bind already"):
        running.open_pages(pages(f"unix:{path}", f"unix:{path}"))
