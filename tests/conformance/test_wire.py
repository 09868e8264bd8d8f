"""The prober's client of raw bytes: it sees what is wrong, and no server keeps it."""

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest

from quaich.conformance.probe import wire
from quaich.conformance.probe.wire import Connection, Response, Talk

HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


def read(data: bytes, seconds: float = 0.05) -> Response:
    """The response in what comes on a connection that stays open."""
    with socketpair() as (client, server):
        server.sendall(data)
        return client.response(seconds=seconds)


@contextlib.contextmanager
def socketpair() -> Iterator[tuple[Connection, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield Connection(ours, Talk()), theirs


@pytest.mark.parametrize(
    ("chunks", "content"),
    [
        (b"3\r\nabc\r\n0\r\n\r\n", b"abc"),
        (b"3;a=b\r\nabc\r\n0\r\nX-Probe: 1\r\n\r\n", b"abc"),
        (b"3 \r\nabc\r\n00\r\n\r\n", b"abc"),
    ],
)
def test_chunks_are_read_to_their_end(chunks: bytes, content: bytes) -> None:
    response = read(CHUNKED + chunks)
    assert (response.content, response.complete) == (content, True)


@pytest.mark.parametrize(
    "chunks",
    [
        b"-F\r\nabc\r\n0\r\n\r\n",  # less than nothing: a reader that adds it up goes round
        b"0x3\r\nabc\r\n0\r\n\r\n",
        b"+3\r\nabc\r\n0\r\n\r\n",
        b"1_0\r\n0123456789abcdef\r\n0\r\n\r\n",
        b"3\r\nabcXX0\r\n\r\n",
        b"\r\nabc\r\n0\r\n\r\n",
    ],
)
def test_what_is_no_chunk_is_not_taken_for_one(chunks: bytes) -> None:
    response = read(CHUNKED + chunks)
    assert (response.content, response.complete) == (b"", False)


def test_a_length_of_thousands_of_digits_is_a_length() -> None:
    response = read(HEAD + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\nabc")
    assert (response.content, response.complete) == (b"abc", False)


@pytest.mark.parametrize("start", [b"", b"garbage", HEAD, HEAD + b"\r\n", CHUNKED])
def test_a_server_that_never_stops_is_left(start: bytes) -> None:
    with socketpair() as (client, server):

        def send() -> None:
            with contextlib.suppress(OSError):
                server.sendall(start)
                while True:
                    server.sendall(b"garbage " * 8192)

        thread = threading.Thread(target=send, daemon=True)
        thread.start()
        assert not client.response(seconds=0.05).complete
        client._socket.shutdown(socket.SHUT_RDWR)
        thread.join(10)
        assert not thread.is_alive()


def test_there_is_an_end_to_waiting_for_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "PATIENCE", 0.05)
    with socketpair() as (client, server):

        def send() -> None:
            with contextlib.suppress(OSError):
                while True:
                    server.sendall(b"x" * 65536)

        thread = threading.Thread(target=send, daemon=True)
        thread.start()
        assert client.read_until_quiet()
        client._socket.shutdown(socket.SHUT_RDWR)
        thread.join(10)
        assert not thread.is_alive()


def test_a_server_that_reads_no_more_has_not_reset_the_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(wire, "PATIENCE", 0.05)
    with socketpair() as (client, _):
        client.send(b"x" * 10_000_000)
        assert not client.was_reset
        assert not client.ended


def test_a_reset_is_one() -> None:
    with socketpair() as (client, server):
        server.close()
        client.send(b"x")
        assert client.was_reset
