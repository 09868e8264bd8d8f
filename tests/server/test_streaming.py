"""Blocks go out as they come, and a slow reader holds up nobody but its own application."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from server.applications import PLAIN, Blocks, Environ, answering, hello
from server.conftest import Connect, Errors, Serve
from server.wire import Client, Ending, Gate, Truncated, get, wait_until

pytestmark = pytest.mark.live

MEGABYTE = 2**20

versions = pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/1.0"])


class Stepwise:
    """An iterable whose block n + 1 is made once the client has seen block n. Without that, it
    fails after its patience."""

    def __init__(self, blocks: int, *, length: bool = False) -> None:
        self.gates = [Gate() for _ in range(blocks)]
        self.made = 0
        self._length = length

    def __call__(self, environ: Environ, start_response: Any) -> Iterator[bytes]:
        length = [("Content-Length", str(6 * len(self.gates)))] if self._length else []
        start_response("200 OK", [*PLAIN, *length])
        for number, gate in enumerate(self.gates):
            gate.wait()
            self.made += 1
            yield b"block%d" % number


# --- Block by block ---------------------------------------------------------------------------


@pytest.mark.rule("S14")
@pytest.mark.rule("S81")
@pytest.mark.rule("H132")
@versions
@pytest.mark.parametrize("length", [False, True], ids=["no length", "length"])
@pytest.mark.parametrize("threads", [1, 32])
def test_each_block_is_sent_before_the_next_is_made(
    serve: Serve, connect: Connect, version: str, length: bool, threads: int
) -> None:
    app = Stepwise(4, length=length)
    client = connect(serve(app, threads=threads))
    client.send(get(version=version))
    for number, gate in enumerate(app.gates):
        gate.open()
        if not number:
            head = client.head()
        chunked = head.field("Transfer-Encoding") == "chunked"
        assert (client.chunk() if chunked else client.receive(6)) == b"block%d" % number
        assert app.made == number + 1
    if chunked:
        assert client.chunk() == b""
    assert chunked is (version == "HTTP/1.1" and not length)


@pytest.mark.rule("S83")
@pytest.mark.rule("S84")
@pytest.mark.rule("S85")
def test_write_sends_at_once_and_before_what_is_returned(serve: Serve, connect: Connect) -> None:
    gates = [Gate() for _ in range(3)]

    def app(environ: Environ, start_response: Any) -> list[bytes]:
        write = start_response("200 OK", PLAIN)
        for number, gate in enumerate(gates):
            gate.wait()
            write(b"write%d" % number)
        return [b"re", b"", b"turn"]

    client = connect(serve(app))
    client.send(get())
    for number, gate in enumerate(gates):
        gate.open()
        if not number:
            assert client.head().status == 200
        assert client.chunk() == b"write%d" % number
    assert [client.chunk() for _ in range(3)] == [b"re", b"turn", b""]


@pytest.mark.rule("S13")
@pytest.mark.rule("S85")
@pytest.mark.parametrize("result", [[], [b""], [b"only"], (), iter([b"one", b"two"])])
def test_whatever_is_returned_after_write_is_sent(
    serve: Serve, connect: Connect, result: Any
) -> None:
    blocks = list(result)

    def app(environ: Environ, start_response: Any) -> Any:
        write = start_response("200 OK", PLAIN)
        write(b"")
        write(b"written ")
        return iter(blocks) if not isinstance(result, (list, tuple)) else result

    client = connect(serve(app))
    response = client.exchange(get())
    assert response.content == b"written " + b"".join(blocks)


def test_write_with_a_length_needs_no_chunks(serve: Serve, connect: Connect) -> None:
    def app(environ: Environ, start_response: Any) -> list[bytes]:
        write = start_response("200 OK", [("Content-Length", "6")])
        write(b"one")
        write(b"two")
        return []

    client = connect(serve(app))
    for _ in range(2):
        response = client.exchange(get())
        assert (response.framing, response.content) == ("length", b"onetwo")


@pytest.mark.rule("S65")
@pytest.mark.rule("S66")
def test_the_head_waits_for_the_first_block_that_is_not_empty(
    serve: Serve, connect: Connect
) -> None:
    reached, gate = Gate(), Gate()

    def app(environ: Environ, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", PLAIN)
        yield b""
        yield b""
        reached.open()
        gate.wait()
        yield b"now"

    client = connect(serve(app))
    client.send(get())
    reached.wait()
    assert client.is_open()  # and nothing has come
    gate.open()
    assert client.response().content == b"now"


@pytest.mark.rule("S66")
@pytest.mark.rule("S83")
def test_an_empty_write_sends_the_head(serve: Serve, connect: Connect) -> None:
    gate = Gate()

    def app(environ: Environ, start_response: Any) -> list[bytes]:
        start_response("200 OK", PLAIN)(b"")
        gate.wait()
        return [b"later"]

    client = connect(serve(app))
    client.send(get())
    assert client.head().status == 200
    gate.open()
    assert client.chunk() == b"later"


@pytest.mark.rule("S21")
def test_start_response_may_be_called_with_the_first_block(serve: Serve, connect: Connect) -> None:
    def app(environ: Environ, start_response: Any) -> Iterator[bytes]:
        yield b""
        start_response("202 Accepted", PLAIN)
        yield b"late"

    response = connect(serve(app)).exchange(get())
    assert (response.status, response.content) == (202, b"late")


@pytest.mark.rule("S21")
def test_a_block_before_start_response_is_an_error(
    serve: Serve, connect: Connect, errors: Errors
) -> None:
    def app(environ: Environ, start_response: Any) -> Iterator[bytes]:
        yield b"early"
        start_response("200 OK", PLAIN)

    assert connect(serve(app)).exchange(get()).status == 500
    assert len(errors()) == 1


@pytest.mark.rule("S107")
def test_a_sequence_by_getitem_is_an_iterable(serve: Serve, connect: Connect) -> None:
    class Old:
        def __getitem__(self, index: int) -> bytes:
            return [b"one", b"two"][index]

    assert connect(serve(answering(Old))).exchange(get()).content == b"onetwo"


@pytest.mark.rule("S22")
def test_nothing_else_of_the_iterable_is_touched(serve: Serve, connect: Connect) -> None:
    touched: list[str] = []

    class Trap:
        def __getattribute__(self, name: str) -> Any:
            if name not in ("__iter__", "__len__", "close", "__class__"):
                touched.append(name)
            return object.__getattribute__(self, name)

        def __iter__(self) -> Iterator[bytes]:
            return iter([b"content"])

    assert connect(serve(answering(Trap))).exchange(get()).content == b"content"
    assert touched == []


# --- Readers slower than the application ------------------------------------------------------


class Endless:
    """Blocks of 64 KiB, up to ``total``; counts what it has made."""

    def __init__(self, total: int = 64 * MEGABYTE, block: int = 65536) -> None:
        self.made = 0
        self.closed = Gate()
        self._total = total
        self._block = block

    def __call__(self, environ: Environ, start_response: Any) -> Any:
        start_response("200 OK", [("Content-Length", str(self._total))])
        return self

    def __iter__(self) -> Iterator[bytes]:
        while self.made < self._total:
            self.made += self._block
            yield b"x" * self._block

    def close(self) -> None:
        self.closed.open()


def comes_to_rest(app: Endless) -> int:
    """How much the application has made once it makes no more."""
    pause, seen, times = threading.Event(), -1, 0

    def rests() -> bool:
        nonlocal seen, times
        pause.wait(0.01)
        times = times + 1 if app.made == seen and seen else 0
        seen = app.made
        return times == 10

    wait_until(rests, "the application to be paused")
    return seen


@pytest.mark.rule("S82")
@pytest.mark.parametrize("threads", [1, 32])
@pytest.mark.parametrize("response_buffer", [0, 2 * MEGABYTE])
def test_the_application_is_paused_while_too_much_waits(
    serve: Serve, connect: Connect, threads: int, response_buffer: int
) -> None:
    total = 16 * MEGABYTE
    app = Endless(total)
    client = connect(
        serve(app, threads=threads, response_buffer=response_buffer), receive_buffer=65536
    )
    client.send(get())
    paused = comes_to_rest(app)
    assert paused < 6 * MEGABYTE + response_buffer  # what the system takes comes on top
    assert paused >= response_buffer
    response = client.response()
    assert len(response.content) == total
    assert response.content.count(b"x") == total
    app.closed.wait()
    app.made = total
    assert client.exchange(get(method="HEAD"), "HEAD").status == 200  # the connection goes on


@pytest.mark.rule("S82")
def test_the_rest_is_sent_while_the_application_makes_the_next_block(
    serve: Serve, connect: Connect
) -> None:
    """Its thread is inside the application; somebody else sends what is left."""
    gate = Gate()
    size = 8 * MEGABYTE

    def app(environ: Environ, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", PLAIN)
        yield b"x" * size
        gate.wait()
        yield b"end"

    client = connect(serve(app, response_buffer=16 * MEGABYTE), receive_buffer=65536)
    client.send(get())
    client.head()
    assert client.chunk() == b"x" * size
    gate.open()
    assert client.chunk() == b"end"
    assert client.chunk() == b""


@pytest.mark.rule("S82")
def test_the_rest_is_sent_when_the_application_is_done(serve: Serve, connect: Connect) -> None:
    """And the requests behind it are answered then."""
    size = 8 * MEGABYTE
    done = Gate()

    def app(environ: Environ, start_response: Any) -> list[bytes]:
        start_response("200 OK", PLAIN)
        if environ["PATH_INFO"] == "/big":
            done.open()
            return [b"x" * size]
        return [b"small"]

    server = serve(app, response_buffer=16 * MEGABYTE)
    client = connect(server, receive_buffer=65536)
    client.send(get("/big") + get("/small"))
    done.wait()
    assert connect(server).exchange(get()).content == b"small"
    assert client.response().content == b"x" * size
    assert client.response().content == b"small"
    assert client.exchange(get()).content == b"small"


@pytest.mark.parametrize("count", [1, 5])
def test_pipelined_big_responses_to_a_slow_reader(
    serve: Serve, connect: Connect, count: int
) -> None:
    size = 3 * MEGABYTE
    client = connect(serve(answering([b"x" * size]), response_buffer=10), receive_buffer=65536)
    client.send(get() * count)
    pause = threading.Event()
    for _ in range(count):
        pause.wait(0.02)
        assert client.response().content == b"x" * size
    assert client.exchange(get()).content == b"x" * size


def test_slow_readers_hold_up_nobody_else(serve: Serve, connect: Connect) -> None:
    def app(environ: Environ, start_response: Any) -> list[bytes]:
        start_response("200 OK", PLAIN)
        return [b"x" * (4 * MEGABYTE) if environ["PATH_INFO"] == "/big" else b"small"]

    server = serve(app, threads=2, response_buffer=16 * MEGABYTE)
    slow = [connect(server, receive_buffer=4096) for _ in range(20)]
    for client in slow:
        client.send(get("/big"))
    quick = connect(server)
    for _ in range(20):
        assert quick.exchange(get()).content == b"small"
    for client in slow:
        assert client.head().status == 200


@pytest.mark.parametrize("threads", [1, 4])
@pytest.mark.parametrize("response_buffer", [1000, 64 * MEGABYTE])
def test_a_client_that_reads_nothing_is_given_up(
    serve: Serve, connect: Connect, threads: int, response_buffer: int
) -> None:
    app = Endless(16 * MEGABYTE)
    server = serve(app, write_timeout=0.2, threads=threads, response_buffer=response_buffer)
    client = connect(server, receive_buffer=65536)
    client.send(get())
    app.closed.wait()
    client.wait_for_reset()
    with pytest.raises(Truncated) as info:
        client.response()
    assert info.value.ending is Ending.RESET


def test_a_client_that_reads_a_little_is_not_given_up(serve: Serve, connect: Connect) -> None:
    # The system's buffers are large, and it says that there is room when a third is free.
    part = 3 * MEGABYTE // 2
    app = Endless(8 * part)
    client = connect(serve(app, write_timeout=0.6, response_buffer=1000), receive_buffer=65536)
    client.send(get())
    client.head()
    pause = threading.Event()
    for _ in range(8):
        pause.wait(0.1)
        assert client.receive(part).count(b"x") == part


@pytest.mark.rule("S91")
def test_what_a_client_got_before_it_was_given_up_does_not_look_whole(
    serve: Serve, connect: Connect
) -> None:
    """Where only the end of the connection shows the end of the content."""
    blocks = Blocks(*[b"x" * MEGABYTE] * 32)
    server = serve(answering(blocks), write_timeout=0.2, response_buffer=1000)
    client = connect(server, receive_buffer=65536)
    client.send(get(version="HTTP/1.0"))
    wait_until(lambda: blocks.closed, "the application to be told")
    client.wait_for_reset()
    with pytest.raises(Truncated) as info:
        client.response()
    assert info.value.ending is Ending.RESET


@pytest.mark.parametrize("response_buffer", [1000, 64 * MEGABYTE])
def test_a_client_that_goes_ends_the_response(
    serve: Serve, connect: Connect, response_buffer: int
) -> None:
    app = Endless(32 * MEGABYTE)
    server = serve(app, response_buffer=response_buffer)
    client = connect(server, receive_buffer=65536)
    client.send(get())
    client.head()
    client.reset()
    app.closed.wait()
    wait_until(lambda: not server.requests_under_way, "the connection to be given up")
    assert connect(server).exchange(get(method="HEAD"), "HEAD").status == 200


# --- Many blocks ------------------------------------------------------------------------------


@pytest.mark.rule("S15")
@versions
def test_nothing_is_lost_or_changed(serve: Serve, connect: Connect, version: str) -> None:
    blocks = [bytes([number % 256]) * (number * 37 % 5000) + b"\r\n\n" for number in range(1000)]
    client = connect(serve(answering(lambda: iter(blocks)), response_buffer=10_000))
    assert client.exchange(get(version=version)).content == b"".join(blocks)


def test_many_clients_at_different_speeds(serve: Serve, connect: Connect) -> None:
    blocks = [b"%d," % number * 500 for number in range(300)]
    server = serve(answering(lambda: iter(blocks)), threads=4, response_buffer=50_000)
    results: dict[int, bytes] = {}

    def read(client: Client, number: int) -> None:
        pause = threading.Event()
        client.send(get())
        client.head()
        content = b""
        while block := client.chunk():
            content += block
            if number % 3 == 0 and len(content) % 7 == 0:
                pause.wait(0.001)
        results[number] = content

    readers = [
        threading.Thread(target=read, args=(connect(server, receive_buffer=8192), number))
        for number in range(10)
    ]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join(20)
    assert results == dict.fromkeys(range(10), b"".join(blocks))


def test_two_hundred_requests_one_after_the_other(serve: Serve, connect: Connect) -> None:
    client = connect(serve(hello))
    for _ in range(200):
        assert client.exchange(get()).content == b"hello"
