"""The setting ``static``: files that the server sends itself, over a real connection."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from quaich import Server
from quaich.settings import SettingError
from server.applications import path as application
from server.conftest import Connect, Errors, Serve
from server.wire import Client, Truncated, get, post

pytestmark = pytest.mark.live

CONTENT = bytes(range(256)) * 4000


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    root.mkdir()
    (root / "file.bin").write_bytes(CONTENT)
    (root / "empty").touch()
    (tmp_path / "secret").write_bytes(b"secret")
    return root


@pytest.fixture
def client(serve: Serve, connect: Connect, root: Path) -> Client:
    return connect(serve(application, static=[f"/static={root}"]))


def test_files_and_the_rest_on_one_connection(client: Client) -> None:
    for _ in range(2):
        response = client.exchange(get("/static/file.bin"))
        assert (response.status, response.content) == (200, CONTENT)
        assert response.persists
        assert client.exchange(get("/static/empty")).content == b""
        head = client.exchange(get("/static/file.bin", method="HEAD"), "HEAD")
        assert head.field("Content-Length") == str(len(CONTENT))
        assert client.exchange(get("/other")).content == b"/other"
        etag = response.field("ETag")
        assert client.exchange(get("/static/file.bin", f"If-None-Match: {etag}")).status == 304


def test_the_system_sends_it_and_ranges_of_it(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A range ends where it is to end, and the next response begins there."""
    sent = 0
    send = os.sendfile

    def spy(out: int, source: int, offset: int, count: int) -> int:
        nonlocal sent
        taken = send(out, source, offset, count)
        sent += taken
        return taken

    monkeypatch.setattr(os, "sendfile", spy)
    client.send(
        get("/static/file.bin", "Range: bytes=1000-500999")
        + get("/static/file.bin", "Range: bytes=-5")
        + get("/static/file.bin")
    )
    response = client.response()
    assert (response.status, response.content) == (206, CONTENT[1000:501_000])
    assert response.field("Content-Range") == f"bytes 1000-500999/{len(CONTENT)}"
    assert client.response().content == CONTENT[-5:]
    assert client.response().content == CONTENT
    assert sent == 500_000 + len(CONTENT)  # so few as 5 are read


def test_where_the_system_cannot(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any) -> int:
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(os, "sendfile", fail)
    response = client.exchange(get("/static/file.bin", "Range: bytes=1000-500999"))
    assert response.content == CONTENT[1000:501_000]
    assert client.exchange(get("/static/file.bin")).content == CONTENT


def test_several_ranges(client: Client) -> None:
    response = client.exchange(get("/static/file.bin", "Range: bytes=0-9,100-299999"))
    assert response.status == 206
    assert response.framing == "length"
    assert CONTENT[100:300_000] in response.content
    assert response.content.endswith(b"--\r\n")


def test_who_reads_nothing_holds_no_thread(serve: Serve, connect: Connect, root: Path) -> None:
    """Whatever of a file it has asked for."""
    with (root / "large").open("wb") as file:
        file.truncate(20_000_000)
    server = serve(application, static=[f"/static={root}"], threads=1)
    slow = [connect(server, receive_buffer=4096) for _ in range(3)]
    wishes = ((), ("Range: bytes=1-",), ("Range: bytes=0-9000000,9500000-",))
    for client, wish in zip(slow, wishes, strict=True):
        client.send(get("/static/large", *wish))
        assert client.head().status in (200, 206)
    assert connect(server).exchange(get("/other")).content == b"/other"


def test_who_asks_for_many_small_files_holds_no_descriptor(
    client: Client, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or a few clients that read nothing would have all that there are."""
    (root / "one").write_bytes(b"1")
    taken = []
    dup = os.dup

    def spy(fd: int) -> int:
        taken.append(fd)
        return dup(fd)

    monkeypatch.setattr(os, "dup", spy)
    client.send(get("/static/one") * 60 + get("/static/one", "Range: bytes=0-0"))
    assert [client.response().content for _ in range(61)] == [b"1"] * 61
    assert not taken


@pytest.mark.parametrize(
    "target",
    [
        "/static/../secret",
        "/static/%2e%2e/secret",
        "/static/%2E%2E%2Fsecret",
        "/static/..%2fsecret",
        "/static/..%5csecret",
        "/static/%252e%252e/secret",
        "/static//etc/passwd",
        "/static/%2fetc/passwd",
        "/static/link",
        "/static/up/secret",
        "/static/file.bin%00",
        "/static/file.bin%00.txt",
        "http://example.test/static/../secret",
    ],
)
def test_there_is_no_way_out(client: Client, root: Path, target: str) -> None:
    (root / "link").symlink_to("../secret")
    (root / "up").symlink_to("..")
    response = client.exchange(get(target))
    assert response.content != b"secret"
    assert response.content.startswith(b"/static/") or response.status == 400


def test_content_that_comes_with_a_wrong_method(client: Client) -> None:
    response = client.exchange(post(b"x" * 100_000, "/static/file.bin"))
    assert (response.status, response.field("Allow")) == (405, "GET, HEAD")
    assert client.exchange(get("/other")).content == b"/other"


def test_a_file_that_becomes_shorter(
    client: Client, root: Path, errors: Errors, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody may take what comes for the whole (S91)."""
    send = os.sendfile

    def cut(out: int, source: int, offset: int, count: int) -> int:
        os.truncate(root / "file.bin", 1000)
        return send(out, source, offset, count)

    monkeypatch.setattr(os, "sendfile", cut)
    with pytest.raises(Truncated):
        client.exchange(get("/static/file.bin"))


def test_a_directory_that_is_not(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="is no directory"):
        Server(application, bind="127.0.0.1:0", static=[f"/static={tmp_path}/nowhere"])
