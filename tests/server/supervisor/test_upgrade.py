"""What a program hands on to the one that takes over."""

import os
import socket
from pathlib import Path

import pytest

from quaich.server.listeners.listening import close_listeners, open_listeners, own_listeners
from quaich.server.listeners.unix_sockets import UnixListener
from quaich.server.supervisor import _open_pages, upgrade
from quaich.server.supervisor.upgrade import VARIABLE, Inherited, Start
from quaich.settings import Listen, Settings, settings

pytestmark = pytest.mark.live


def copy_of(listener: socket.socket) -> socket.socket:
    """dup() gives a plain socket."""
    if not isinstance(listener, UnixListener):
        return listener.dup()
    copy = UnixListener(fileno=listener.dup().detach())
    copy.path, copy.node, copy.pid = listener.path, listener.node, listener.pid
    return copy


OPENED = {"bind": ["127.0.0.1:0"], "backlog": 10}


def handed_on(sockets: list[socket.socket], admin: socket.socket | None = None) -> Inherited:
    """What another process would find, which has these descriptors under other numbers."""
    copies = [copy_of(each) for each in sockets]
    admin_copy = None if admin is None else admin.dup()
    value = upgrade.encode(os.getppid(), copies, admin_copy, OPENED)
    environ = {VARIABLE: value, "HOME": "/"}
    for copy in copies:
        copy.detach()
    if admin_copy is not None:
        admin_copy.detach()
    found = upgrade.take(environ)
    assert found is not None
    assert environ == {"HOME": "/"}
    return found


def test_sockets_are_the_same_ones(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    before = open_listeners(Listen(bind=("127.0.0.1:0", f"unix:{path}")), environ=None)
    found = handed_on(before)
    assert [each.getsockname() for each in found.sockets] == [each.getsockname() for each in before]
    assert found.admin is None
    assert found.opened_for == OPENED
    assert found.former == os.getppid()
    assert found.former_is_alive()
    for each in before:
        each.close()
    assert path.exists()
    close_listeners(found.sockets)
    assert not path.exists()


def test_the_operators_socket_is_handed_on_too() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as one,
        socket.create_server(("127.0.0.1", 0)) as two,
    ):
        found = handed_on([one], two)
        assert found.admin is not None
        assert found.admin.getsockname() == two.getsockname()
        close_listeners([*found.sockets, found.admin])


def test_a_former_process_that_is_not_the_parent_is_no_more() -> None:
    assert not Inherited(os.getpid(), []).former_is_alive()


def test_nothing_was_handed_on() -> None:
    assert upgrade.take({}) is None


def test_a_former_version_says_less() -> None:
    found = upgrade.take({VARIABLE: "[1, [null]]"})
    assert found is not None
    assert found.opened_for == {}


@pytest.mark.parametrize("value", ["x", "[]", "7", "[1]", "[1, [[99999, null, null], null]]"])
def test_what_is_no_such_thing_is_not_used(value: str) -> None:
    environ = {VARIABLE: value}
    assert upgrade.take(environ) is None
    assert environ == {}


def test_what_does_not_listen_is_not_used() -> None:
    with socket.socket() as idle:
        assert upgrade.take({VARIABLE: f"[1, [[{idle.fileno()}, null, null], null]]"}) is None


def test_how_this_process_was_started() -> None:
    start = Start.of_this_process()
    assert start.directory == str(Path.cwd())
    assert start.environ == dict(os.environ)


def test_the_directory_is_as_the_shell_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A link may lead elsewhere by the time of a new program."""
    link = tmp_path / "current"
    link.symlink_to(".")
    monkeypatch.chdir(link)
    monkeypatch.setenv("PWD", str(link))
    assert Start.of_this_process().directory == str(link)


def test_sockets_that_are_only_reserved_are_handed_on() -> None:
    """Each worker listens with its own then (reuse_port)."""
    before = open_listeners(
        Listen(bind=("127.0.0.1:0",), reuse_port=True), environ=None, reserve=True
    )
    found = handed_on(before)
    assert [each.getsockname() for each in found.sockets] == [each.getsockname() for each in before]
    own = own_listeners(found.sockets, 10)
    assert own[0].getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    close_listeners([*before, *found.sockets, *own])


def test_the_pages_are_there_as_the_new_settings_say() -> None:
    """Whatever the former program had."""
    wanted, unwanted = settings(admin_bind="127.0.0.1:0"), Settings()
    with socket.create_server(("127.0.0.1", 0)) as former:
        assert _open_pages(wanted, Inherited(1, [], former)) is former
        assert _open_pages(unwanted, Inherited(1, [], former)) is None
        assert former.fileno() == -1
    opened = _open_pages(wanted, Inherited(1, []))
    assert opened is not None
    opened.close()
    assert _open_pages(unwanted, Inherited(1, [])) is None
    assert _open_pages(unwanted, None) is None
