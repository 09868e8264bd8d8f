"""close() of what the application returned: called once, however the request ends."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from server.applications import PLAIN, Blocks, Environ, answering
from server.conftest import Connect, Errors, Serve, on_one_poller
from server.wire import Client, Gate, Truncated, get, wait_until

pytestmark = [pytest.mark.live, pytest.mark.rule("S18")]

LONG = [("Content-Length", "100")]
SHORT = [("Content-Length", "4")]


def ends(blocks: Blocks) -> None:
    """close() has been called, and is not called again while the server goes on."""
    wait_until(lambda: blocks.closed, "close()")
    assert blocks.closed == 1


def closes_once(serve: Serve, connect: Connect, blocks: Blocks, application: Any = None) -> Client:
    """Serve the blocks; after that, a request that shows the server to be at rest."""
    app = application or answering(blocks)

    def at_rest(environ: Environ, start_response: Any) -> Any:
        if environ["PATH_INFO"] == "/rest":
            return answering([b"at rest"])(environ, start_response)
        return app(environ, start_response)

    server = serve(at_rest)
    client = connect(server)
    client.send(get())
    try:
        client.response()
    except Truncated:
        pass
    ends(blocks)
    other = connect(server)
    assert other.exchange(get("/rest")).content == b"at rest"
    assert blocks.closed == 1
    return client


@pytest.mark.parametrize(
    "blocks",
    [(), (b"",), (b"one",), (b"one", b"two"), (b"", b"one", b"")],
    ids=["none", "empty", "one", "two", "empty ones"],
)
def test_after_all_blocks(serve: Serve, connect: Connect, blocks: tuple[bytes, ...]) -> None:
    closes_once(serve, connect, Blocks(*blocks))


def test_after_all_blocks_have_been_sent(serve: Serve, connect: Connect) -> None:
    """Not before: it may end what the blocks are made from."""
    seen: list[int] = []

    class Watched(Blocks):
        def close(self) -> None:
            super().close()
            seen.append(self.taken)

    closes_once(serve, connect, Watched(b"one", b"two", b"three"))
    assert seen == [3]


@pytest.mark.parametrize("error", [ValueError("oh"), SystemExit(3), GeneratorExit()])
@pytest.mark.parametrize("before", [(), (b"",), (b"one",), (b"one", b"two")])
def test_after_an_error(
    serve: Serve,
    connect: Connect,
    errors: Errors,
    before: tuple[bytes, ...],
    error: BaseException,
) -> None:
    closes_once(serve, connect, Blocks(*before, error))
    assert len(errors()) == 1


@pytest.mark.parametrize("block", ["text", None, bytearray(b"x"), 5])
@pytest.mark.parametrize("before", [(), (b"one",)], ids=["first", "later"])
def test_after_a_block_that_is_none(
    serve: Serve, connect: Connect, errors: Errors, before: tuple[bytes, ...], block: Any
) -> None:
    class Wrong(Blocks):
        def __iter__(self) -> Iterator[bytes]:
            yield from (*before, block)

    closes_once(serve, connect, Wrong())
    assert len(errors()) == 1


def test_without_start_response(serve: Serve, connect: Connect, errors: Errors) -> None:
    blocks = Blocks(b"content")
    closes_once(serve, connect, blocks, lambda environ, start_response: blocks)
    assert len(errors()) == 1


@pytest.mark.rule("S74")
def test_once_enough_has_been_sent(serve: Serve, connect: Connect) -> None:
    blocks = Blocks(b"four", b"more", b"and more")
    closes_once(serve, connect, blocks, answering(blocks, headers=SHORT))
    assert blocks.taken == 1


def test_after_too_little(serve: Serve, connect: Connect, errors: Errors) -> None:
    blocks = Blocks(b"little")
    closes_once(serve, connect, blocks, answering(blocks, headers=LONG))
    assert len(errors()) == 1


@pytest.mark.rule("S20")
@pytest.mark.parametrize("status", ["200 OK", "204 No Content", "304 Not Modified"])
def test_where_no_content_is_sent(serve: Serve, connect: Connect, status: str) -> None:
    """Also an endless one is closed after its first block."""
    blocks = Blocks(*[b"block"] * 1000)
    server = serve(answering(blocks, status))
    method = "HEAD" if status == "200 OK" else "GET"
    client = connect(server)
    assert client.exchange(get(method=method), method).status == int(status[:3])
    ends(blocks)
    assert blocks.taken == 1
    client.exchange(get(method=method), method)
    wait_until(lambda: blocks.closed == 2, "close() of the next response")


@pytest.mark.parametrize("leave", [Client.close, Client.reset])
def test_when_the_client_has_gone(
    serve: Serve, connect: Connect, leave: Callable[[Client], None]
) -> None:
    gate = Gate()
    blocks = Blocks(b"one", gate.wait, *[b"x" * 65536] * 500)
    server = serve(answering(blocks))
    client = connect(server)
    client.send(get())
    client.head()
    leave(client)
    gate.open()
    ends(blocks)
    assert blocks.taken < 200
    wait_until(lambda: not server.requests_under_way, "the connection to be given up")
    assert blocks.closed == 1


def test_when_the_client_has_gone_and_the_application_writes(
    serve: Serve, connect: Connect
) -> None:
    """write() raises there; that ends the application as any exception does."""
    gate = Gate()
    raised: list[BaseException] = []

    def app(environ: Environ, start_response: Any) -> list[bytes]:
        write = start_response("200 OK", PLAIN)
        write(b"one")
        gate.wait()
        try:
            for _ in range(500):
                write(b"x" * 65536)
        except OSError as error:
            raised.append(error)
            raise
        return []

    server = serve(app)
    client = connect(server)
    client.send(get())
    client.head()
    client.reset()
    gate.open()
    wait_until(lambda: raised, "write() to raise")


@on_one_poller
def test_when_the_server_ends(serve: Serve, connect: Connect) -> None:
    """With the application still inside a block; it is told as soon as that is made."""
    gate = Gate()
    blocks = Blocks(b"one", gate.wait, *[b"x" * 65536] * 500)
    server = serve(answering(blocks))
    client = connect(server)
    client.send(get())
    client.head()
    closing = threading.Thread(target=server.close, args=(0.0,))
    closing.start()
    with pytest.raises(Truncated):
        client.response()
    assert not blocks.closed
    gate.open()
    closing.join(10)
    ends(blocks)


def test_when_the_server_stops_gracefully(serve: Serve, connect: Connect) -> None:
    gate = Gate()
    blocks = Blocks(b"one ", gate.wait, b"two")
    server = serve(answering(blocks))
    client = connect(server)
    client.send(get())
    client.head()
    server.stop()
    gate.open()
    assert client.chunk() + client.chunk() + client.chunk() == b"one two"
    ends(blocks)


# --- What is closed ---------------------------------------------------------------------------


@pytest.mark.rule("S19")
def test_what_was_returned_is_closed_and_not_its_iterator(serve: Serve, connect: Connect) -> None:
    closed: list[str] = []

    class Iter:
        def __init__(self) -> None:
            self.blocks = iter([b"one", b"two"])

        def __iter__(self) -> "Iter":
            return self

        def __next__(self) -> bytes:
            return next(self.blocks)

        def close(self) -> None:
            closed.append("the iterator")

    class Returned(Blocks):
        def __iter__(self) -> Iterator[bytes]:
            return Iter()

    closes_once(serve, connect, Returned())
    assert closed == []


def test_a_generator_is_closed(serve: Serve, connect: Connect, errors: Errors) -> None:
    """Its ``finally`` runs, in the thread that iterated."""
    threads: list[str] = []

    def app(environ: Environ, start_response: Any) -> Iterator[bytes]:
        threads.append(threading.current_thread().name)
        try:
            start_response("200 OK", SHORT)
            yield b"four"
            yield b"never asked for"
        finally:
            threads.append(threading.current_thread().name)

    assert connect(serve(app)).exchange(get()).content == b"four"
    wait_until(lambda: len(threads) == 2, "the generator to be closed")
    assert threads[0] == threads[1]
    assert errors() == []


def test_a_list_with_close(serve: Serve, connect: Connect) -> None:
    class WithClose(list[bytes]):
        closed = 0

        def close(self) -> None:
            self.closed += 1

    result = WithClose([b"content"])
    assert connect(serve(answering(result))).exchange(get()).content == b"content"
    wait_until(lambda: result.closed, "close()")
    assert result.closed == 1


def test_close_that_is_none(serve: Serve, connect: Connect) -> None:
    """An attribute of that name and nothing behind it, as some classes have."""

    class Without(Blocks):
        close = None  # type: ignore[assignment]  # on purpose

    client = connect(serve(answering(Without(b"one", b"two"))))
    for _ in range(2):
        assert client.exchange(get()).content == b"onetwo"


# --- close() that fails -----------------------------------------------------------------------


class Failing(Blocks):
    def close(self) -> None:
        super().close()
        raise ValueError("close() fails")


def test_close_that_fails_is_logged_and_the_response_is_whole(
    serve: Serve, connect: Connect, errors: Errors
) -> None:
    client = connect(serve(answering(lambda: Failing(b"one", b"two"))))
    for number in (1, 2):
        response = client.exchange(get("/path?query"))
        assert response.content == b"onetwo"
        wait_until(lambda: len(errors()) == number, "the error to be logged")  # noqa: B023
    record = errors()[0]
    assert "close() of the application's iterable failed" in record.getMessage()
    assert f"GET /path from 127.0.0.1:{client.name[1]}" in record.getMessage()
    assert record.exc_info is not None
    assert record.exc_info[0] is ValueError


def test_close_that_fails_after_an_error(serve: Serve, connect: Connect, errors: Errors) -> None:
    """Both are logged, the first cause first."""
    closes_once(serve, connect, Failing(KeyError("the first")))
    wait_until(lambda: len(errors()) == 2, "both errors to be logged")
    kinds = [record.exc_info[0] for record in errors() if record.exc_info]
    assert kinds == [KeyError, ValueError]


def test_close_that_ends_the_program_does_not(
    serve: Serve, connect: Connect, errors: Errors
) -> None:
    class Exiting(Blocks):
        def close(self) -> None:
            super().close()
            raise SystemExit(3)

    closes_once(serve, connect, Exiting(b"content"))
    assert len(errors()) == 1


def test_close_that_takes_its_time_holds_up_nobody_else(serve: Serve, connect: Connect) -> None:
    gate = Gate()

    class Slow(Blocks):
        def close(self) -> None:
            gate.wait()
            super().close()

    slow = Slow(b"slow")

    def app(environ: Environ, start_response: Any) -> Any:
        start_response("200 OK", PLAIN)
        return slow if environ["PATH_INFO"] == "/slow" else [b"quick"]

    server = serve(app)
    client = connect(server)
    client.send(get("/slow"))
    assert client.response().content == b"slow"  # it has gone out before close()
    assert connect(server).exchange(get()).content == b"quick"
    gate.open()
    ends(slow)
