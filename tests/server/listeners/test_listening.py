"""Listening sockets: how they are opened, why they cannot be, and what is left of them."""

import errno
import os
import socket
import stat
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from quaich import Server
from quaich.server.listeners import unix_sockets
from quaich.server.listeners.listening import (
    CannotListen,
    address_of,
    close_listeners,
    open_listener,
    open_listeners,
    own_listeners,
)
from quaich.server.listeners.unix_sockets import UnixListener
from quaich.server.system import directory_lock
from quaich.settings import Address, Listen, parse_address
from quaich.settings.address import UnixAddress
from server.wire import Gate

pytestmark = pytest.mark.live

Open = Callable[..., list[socket.socket]]


@pytest.fixture
def listeners() -> Iterator[Open]:
    """``listeners("unix:x", …, **settings)``: they are closed with the test, without more."""
    with ExitStack() as stack:

        def opened(*bind: str, **settings: object) -> list[socket.socket]:
            reserve = bool(settings.pop("reserve", False))
            listen = Listen(bind=bind, **settings)  # type: ignore[arg-type]
            sockets = open_listeners(listen, environ=None, reserve=reserve)
            for each in sockets:
                stack.callback(each.close)
            return sockets

        yield opened


def can_connect(family: int, address: object) -> bool:
    with socket.socket(family, socket.SOCK_STREAM) as client:
        client.settimeout(10)
        try:
            client.connect(address)  # type: ignore[arg-type]
        except (ConnectionRefusedError, FileNotFoundError):
            return False
    return True


def refusal(text: str) -> CannotListen:
    with pytest.raises(CannotListen) as caught:
        open_listener(parse_address(text), 8)
    return caught.value


# --- All kinds ---------------------------------------------------------------------------


def test_several(listeners: Open, tmp_path: Path) -> None:
    """In the order in which they are given, and each of them non-blocking."""
    path = tmp_path / "socket"
    sockets = listeners("127.0.0.1:0", f"unix:{path}", "127.0.0.1:0")
    addresses = [address_of(each) for each in sockets]
    assert addresses[1] == UnixAddress(str(path))
    assert addresses[0] != addresses[2]
    assert isinstance(addresses[0], Address)
    assert isinstance(addresses[2], Address)
    for each in sockets:
        assert each.getblocking() is False
        assert each.get_inheritable() is False
        assert can_connect(each.family, each.getsockname())


def test_if_one_cannot_be_had_none_stays(tmp_path: Path, listeners: Open) -> None:
    (held,) = listeners("127.0.0.1:0")
    taken, path = address_of(held), tmp_path / "socket"
    with pytest.raises(CannotListen) as caught:
        open_listeners(Listen(bind=(f"unix:{path}", str(taken))), environ=None)
    assert str(caught.value) == f"cannot listen on {taken}: the port is taken"
    assert caught.value.is_taken
    assert caught.value.host == "127.0.0.1"
    assert not path.exists()


def test_without_listeners_there_is_nothing_to_close() -> None:
    close_listeners([])


# --- TCP ---------------------------------------------------------------------------------


def test_ipv6_leaves_ipv4_alone(listeners: Open) -> None:
    try:
        (six,) = listeners("[::1]:0")
    except CannotListen:
        pytest.skip("no IPv6 here")
    assert six.family == socket.AF_INET6
    assert six.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY) == 1
    bound = address_of(six)
    assert isinstance(bound, Address)
    listeners(f"127.0.0.1:{bound.port}")


def test_a_host_that_is_not(listeners: Open) -> None:
    error = refusal("no.such.host.invalid:80")
    assert str(error).endswith("the host 'no.such.host.invalid' has no known address")
    error = refusal("192.0.2.1:0")
    assert str(error).endswith("this host has no address 192.0.2.1")
    assert not error.is_taken


def test_without_the_option_a_port_is_had_once(listeners: Open) -> None:
    (first,) = listeners("127.0.0.1:0", reuse_port=True)
    assert refusal(str(address_of(first))).is_taken


def test_each_worker_has_its_own(listeners: Open, tmp_path: Path) -> None:
    """What is reserved takes no connections, which nobody would accept. A Unix socket, which
    cannot be had twice, is shared."""
    path = tmp_path / "socket"
    reserved = listeners("127.0.0.1:0", f"unix:{path}", reuse_port=True, reserve=True)
    where = reserved[0].getsockname()
    assert not can_connect(socket.AF_INET, where)
    one, other = own_listeners(reserved, 8), own_listeners(reserved, 8)
    with one[0], other[0]:
        assert one[1] is other[1] is reserved[1]
        assert one[0] is not other[0]
        assert one[0].getsockname() == other[0].getsockname() == where
        one[0].close()
        assert can_connect(socket.AF_INET, where)
    assert not can_connect(socket.AF_INET, where)


def test_a_worker_whose_port_cannot_be_had(listeners: Open, tmp_path: Path) -> None:
    """What it has opened so far is closed, what is shared is not."""
    path = tmp_path / "socket"
    reserved = listeners(f"unix:{path}", "127.0.0.1:0", reserve=True)
    blocker = reserved[1]
    blocker.listen(1)  # without the option: nobody else can have the port
    fake = socket.socket()
    with fake, pytest.raises(CannotListen):
        own_listeners([reserved[0], _Bound(blocker)], 8)  # type: ignore[list-item]
    assert can_connect(socket.AF_UNIX, str(path))


class _Bound:
    """A socket that looks as if it did not listen."""

    family = socket.AF_INET

    def __init__(self, bound: socket.socket) -> None:
        self.getsockname = bound.getsockname

    def getsockopt(self, *args: int) -> int:
        return 0


# --- Unix sockets ------------------------------------------------------------------------


def test_a_path(listeners: Open, tmp_path: Path) -> None:
    path = tmp_path / "socket"
    (mine,) = listeners(f"unix:{path}")
    assert stat.S_ISSOCK(path.stat().st_mode)
    assert can_connect(socket.AF_UNIX, str(path))
    close_listeners([mine])
    assert not path.exists()


@pytest.mark.parametrize("mode", [0o600, 0o666, 0o770])
def test_its_mode(listeners: Open, tmp_path: Path, mode: int) -> None:
    path = tmp_path / "socket"
    listeners(f"unix:{path}", uds_permissions=mode)
    assert stat.S_IMODE(path.stat().st_mode) == mode


def test_a_relative_path_stays_where_it_was_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, listeners: Open
) -> None:
    monkeypatch.chdir(tmp_path)
    (mine,) = listeners("unix:socket")
    monkeypatch.chdir("/")
    close_listeners([mine])
    assert not (tmp_path / "socket").exists()


def test_its_owner(tmp_path: Path) -> None:
    """Whoever runs this may at least give it to himself."""
    path = tmp_path / "socket"
    listen = Listen(bind=(f"unix:{path}",))
    sockets = open_listeners(listen, environ=None, owner=(os.getuid(), os.getgid()))
    status = path.stat()
    close_listeners(sockets)
    assert (status.st_uid, status.st_gid) == (os.getuid(), os.getgid())


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="where Linux is needed for it")
def test_a_link_that_is_put_in_its_place_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The directory may be that of the user to whom the socket is given, and this be root."""
    other = tmp_path / "other"
    other.touch(0o600)
    node = unix_sockets._node

    def replaced(path: str) -> Any:
        Path(path).unlink()
        Path(path).symlink_to(other)
        return node(path)

    monkeypatch.setattr(unix_sockets, "_node", replaced)
    listen = Listen(bind=(f"unix:{tmp_path}/socket",), uds_permissions=0o666)
    with pytest.raises(CannotListen):
        open_listeners(listen, environ=None)
    assert other.stat().st_mode & 0o777 == 0o600


def test_an_owner_that_it_cannot_have(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str, user: int, group: int) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "chown", refuse)  # root would be allowed to
    with pytest.raises(CannotListen, match="no permission"):
        open_listeners(Listen(bind=(f"unix:{tmp_path}/socket",)), environ=None, owner=(1, 1))
    assert [*tmp_path.iterdir()] == []


def test_a_directory_in_which_it_may_not_be_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root may everywhere, so the system is made to refuse."""

    def refuse(*args: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(unix_sockets, "_bind_path", refuse)
    listen = Listen(bind=(f"unix:{tmp_path}/socket",))
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path)
    with pytest.raises(CannotListen) as caught:
        open_listeners(listen, environ=None)
    assert str(caught.value) == (
        f"cannot listen on unix:{tmp_path}/socket: no permission to write to the directory"
        f" {str(tmp_path)!r}"
    )
    # It may be something else that is refused.
    monkeypatch.setattr(os, "access", lambda path, mode: True)
    with pytest.raises(CannotListen, match=r": no permission for that$"):
        open_listeners(listen, environ=None)


def test_a_stale_one_is_replaced(listeners: Open, tmp_path: Path) -> None:
    path = tmp_path / "socket"
    (former,) = listeners(f"unix:{path}")
    former.close()  # as if its process had been killed
    assert path.exists()
    (mine,) = listeners(f"unix:{path}")
    assert can_connect(socket.AF_UNIX, str(path))
    close_listeners([mine])
    assert [*tmp_path.iterdir()] == []


def test_a_live_one_is_left_alone(listeners: Open, tmp_path: Path) -> None:
    path = tmp_path / "socket"
    listeners(f"unix:{path}")
    error = refusal(f"unix:{path}")
    assert str(error) == f"cannot listen on unix:{path}: another server is listening there"
    assert error.errno == errno.EADDRINUSE
    assert not error.is_taken  # it has no port
    assert can_connect(socket.AF_UNIX, str(path))


def test_one_whose_backlog_is_full_is_live(listeners: Open, tmp_path: Path) -> None:
    path = tmp_path / "socket"
    listeners(f"unix:{path}", backlog=1)
    waiting = []
    try:
        while True:
            client = socket.socket(socket.AF_UNIX)
            client.setblocking(False)
            waiting.append(client)
            client.connect(str(path))
    except BlockingIOError:
        pass
    assert str(refusal(f"unix:{path}")).endswith("another server is listening there")
    for client in waiting:
        client.close()


@pytest.mark.parametrize("kind", ["file", "directory", "link", "datagrams"])
def test_what_is_not_a_stale_socket_is_left_alone(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "it"
    with ExitStack() as stack:
        if kind == "file":
            path.write_text("mine")
        elif kind == "directory":
            path.mkdir()
        elif kind == "link":
            path.symlink_to(tmp_path / "nowhere")
        else:
            other = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
            other.bind(str(path))
        before = path.lstat()
        assert str(refusal(f"unix:{path}")).startswith(f"cannot listen on unix:{path}: ")
        assert path.lstat() == before


def test_a_directory_that_is_not(tmp_path: Path) -> None:
    assert "no such directory" in str(refusal(f"unix:{tmp_path}/no/socket"))


def test_another_servers_path_is_not_removed(listeners: Open, tmp_path: Path) -> None:
    """By the time that this server ends, another one may have the path: also with the same
    number of the inode, which file systems give out again at once."""
    path = tmp_path / "socket"
    (mine,) = listeners(f"unix:{path}")
    path.unlink()
    listeners(f"unix:{path}")
    close_listeners([mine])
    assert can_connect(socket.AF_UNIX, str(path))
    path.unlink()
    close_listeners([mine])  # no path at all
    assert isinstance(mine, UnixListener)
    (other,) = listeners(f"unix:{path}")
    assert isinstance(other, UnixListener)
    mine.node = other.node._replace(made=other.node.made - 1)
    close_listeners([mine])
    assert path.exists()


def test_another_processs_path_is_not_removed(listeners: Open, tmp_path: Path) -> None:
    """A worker has the sockets of its supervisor."""
    path = tmp_path / "socket"
    (mine,) = listeners(f"unix:{path}")
    assert isinstance(mine, UnixListener)
    mine.pid += 1
    close_listeners([mine])
    assert path.exists()


def stale(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as former:
        former.bind(str(path))
        former.listen()


def test_while_one_looks_whether_it_is_stale_another_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or it would find the same, and remove what the first one has put there."""
    path = tmp_path / "socket"
    stale(path)
    real, first_looks, another_has_come = unix_sockets._is_stale, Gate(), Gate()
    lookers: list[int] = []
    waiters: list[int] = []

    def look(where: str) -> bool:
        lookers.append(threading.get_ident())
        if len(lookers) == 1:
            first_looks.open()
            another_has_come.wait()
        else:
            another_has_come.open()
        return real(where)

    def sleep(seconds: float) -> None:
        waiters.append(threading.get_ident())
        another_has_come.open()
        pause.wait(seconds)

    pause = threading.Event()
    monkeypatch.setattr(unix_sockets, "_is_stale", look)
    monkeypatch.setattr(directory_lock, "sleep", sleep)
    opened: list[socket.socket] = []
    thread = threading.Thread(
        target=lambda: opened.append(open_listener(UnixAddress(str(path)), 8))
    )
    thread.start()
    first_looks.wait()
    error = refusal(f"unix:{path}")
    thread.join()
    assert lookers == [thread.ident, threading.get_ident()]
    assert set(waiters) == {threading.get_ident()}
    assert str(error).endswith("another server is listening there")
    assert can_connect(socket.AF_UNIX, str(path))
    close_listeners(opened)


def test_of_several_that_replace_a_stale_one_only_one_has_it(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    stale(path)
    start = threading.Barrier(4)
    opened: list[socket.socket] = []
    refused: list[CannotListen] = []

    def race() -> None:
        start.wait()
        try:
            opened.append(open_listener(UnixAddress(str(path)), 8))
        except CannotListen as error:
            refused.append(error)

    threads = [threading.Thread(target=race) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(opened), len(refused)) == (1, 3)
    assert can_connect(socket.AF_UNIX, str(path))
    close_listeners(opened)
    assert not path.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="abstract sockets are Linux's")
def test_an_abstract_one(listeners: Open, tmp_path: Path) -> None:
    name = f"@quaich-test-{tmp_path}"
    (mine,) = listeners(f"unix:{name}")
    assert address_of(mine) == UnixAddress(name)
    assert can_connect(socket.AF_UNIX, f"\0{name[1:]}")
    assert str(refusal(f"unix:{name}")).endswith("another server is listening there")
    close_listeners([mine])
    assert not can_connect(socket.AF_UNIX, f"\0{name[1:]}")


# --- A server ----------------------------------------------------------------------------


def test_a_server_removes_what_it_has_made(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with Server(lambda environ, start_response: [], bind=f"unix:{path}"):
        assert path.exists()
    assert not path.exists()


def test_a_server_leaves_what_it_was_given(listeners: Open, tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with Server(lambda environ, start_response: [], sockets=listeners(f"unix:{path}")):
        pass
    assert path.exists()


def test_what_a_server_tells_of_its_addresses(tmp_path: Path) -> None:
    path = tmp_path / "socket"

    def app(environ: object, start_response: object) -> list[bytes]:
        return []

    with Server(app, bind=[f"unix:{path}", "127.0.0.1:0"]) as server:
        unix, tcp = server.addresses
        assert unix == UnixAddress(str(path))
        assert tcp == Address("127.0.0.1", server.port)
        assert server.url == f"http://127.0.0.1:{server.port}"
    with Server(app, bind=f"unix:{path}") as server:
        assert server.url == "http+unix://" + str(path).replace("/", "%2F")
        with pytest.raises(LookupError, match=f"it listens on unix:{path}"):
            server.port
