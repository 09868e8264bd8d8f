"""How servers keep connections and end them (H103 to H113)."""

import time
from typing import Final

from quaich.conformance.probe.judging import Broken, Probe, Untestable, describe, trial
from quaich.conformance.probe.trials.asking import (
    CHUNKED,
    answer,
    behind,
    environ_of,
    post,
    text_of,
    word,
)
from quaich.conformance.probe.trials.refusing import SHORT, Came, converse, must_end, must_refuse
from quaich.conformance.probe.wire import NOTHING, PATIENCE, Connection, Response

_IDLE_SECONDS: Final = 3.0


def _two(probe: Probe, *lines: bytes, version: str = "1.1") -> Came:
    """Two requests at once; the first has these lines."""
    first = word(probe, "first", *lines, version=version)
    came = converse(probe, first + behind(probe), 2)
    if came.first.content != b"first":
        shown = ", ".join(line.decode() for line in lines)
        raise Broken(f"HTTP/{version} with {shown!r} is answered with {describe(came.first)}")
    return came


def _then(
    connection: Connection, data: bytes, method: str, next_one: bytes
) -> tuple[Response, Response]:
    """A response, and the one to a request that is sent once the first is there."""
    connection.send(data)
    first = connection.response(method)
    if not first:
        raise Broken(f"the request is answered with {describe(first)}")
    if connection.ended:
        return first, NOTHING
    connection.send(next_one)
    return first, connection.response()


def _keeps(probe: Probe) -> bool:
    """Whether an ordinary HTTP/1.1 connection is kept."""
    with probe.client.connect() as connection:
        _, second = _then(connection, word(probe, "first"), "GET", behind(probe))
    return second.content == b"behind"


@trial("H103")
def connection_is_a_list(probe: Probe) -> str | None:
    """``close`` counts wherever it stands in the list, and nothing that only looks like it."""
    for lines in (
        (b"Connection: TE, Close",),
        (b"Connection: TE", b"Connection: close"),
        (b"Connection: CLOSE,TE",),
        (b"Connection: close\t, x-probe",),
    ):
        shown = " and ".join(line.decode() for line in lines)
        must_end(_two(probe, *lines), shown)
    if not _keeps(probe):
        return "connections are never kept"
    for lines in ((b"Connection: x-close",), (b"Connection: closed, TE",)):
        with probe.client.connect() as connection:
            _, second = _then(connection, word(probe, "first", *lines), "GET", behind(probe))
        if second.content != b"behind":
            raise Broken(f"{lines[0].decode()} is taken for close: then comes {describe(second)}")
    return None


@trial("H104")
def what_keeps_a_connection(probe: Probe) -> str | None:
    """``close`` ends a connection in both versions; without keep-alive, HTTP/1.0 does too."""
    for version, lines in (
        ("1.1", (b"Connection: close",)),
        ("1.1", (b"Connection: keep-alive, close",)),
        ("1.0", ()),
        ("1.0", (b"Connection: close",)),
        ("1.0", (b"Connection: close, keep-alive",)),
    ):
        shown = ", ".join(line.decode() for line in lines)
        must_end(_two(probe, *lines, version=version), f"HTTP/{version} with {shown or 'nothing'}")
    for lines in ((), (b"Connection: keep-alive",)):
        with probe.client.connect() as connection:
            first, second = _then(connection, word(probe, "first", *lines), "GET", behind(probe))
        if second or first.closes or first.version == b"HTTP/1.0":
            continue
        shown = lines[0].decode() if lines else "nothing"
        raise Broken(f"HTTP/1.1 with {shown} ends the connection, and the response does not say so")
    return None


@trial("H105")
def saying_close(probe: Probe) -> str | None:
    """A server that keeps no connections says so in each response."""
    if _keeps(probe):
        return "connections are kept"
    for method, target in (
        ("GET", answer(probe, "hello", headers=("Content-Length: 5",))),
        ("HEAD", answer(probe, "hello", headers=("Content-Length: 5",))),
        ("GET", answer(probe, "hello", kind="iterator")),
        ("GET", answer(probe, "hello", status="404 Not Found", headers=("Content-Length: 5",))),
    ):
        response = probe.client.get(target, method=method)
        if not response:
            raise Broken(f"{method} is answered with {describe(response)}")
        if not response.closes and response.version != b"HTTP/1.0":
            raise Broken(
                f"the server keeps no connection, and a response to {method} "
                f"({describe(response)}) does not say close"
            )
    return "connections are not kept, and each response says so, or is HTTP/1.0"


@trial("H106")
def nothing_behind_close(probe: Probe) -> str | None:
    """Behind a request with ``close``, nothing is answered and nothing reaches the application."""
    must_end(_two(probe, b"Connection: close"), "a request with Connection: close")
    for event in probe.log():
        if "behind" in event.get("blocks", ()):
            raise Broken("a request behind one with Connection: close reaches the application")
    return None


@trial("H107")
def keeping_http_1_0(probe: Probe) -> str | None:
    """Where an HTTP/1.0 connection is kept, the response says so and has a length."""
    keep = b"Connection: keep-alive"
    kept = []
    for what, target in (
        ("known", answer(probe, "hello", headers=("Content-Length: 5",))),
        ("unknown", answer(probe, "hel", "lo", kind="iterator")),
        ("no", answer(probe, status="204 No Content")),
    ):
        with probe.client.connect() as connection:
            request = probe.client.head("GET", target, keep, version="1.0")
            first, second = _then(connection, request, "GET", behind(probe))
            ended = connection.ended
        shown = f"an HTTP/1.0 response of {what} length"
        if first.framing == "close" and not ended:
            raise Broken(f"{shown} ends with the connection, and that stays open")
        if first.framing == "chunked":
            raise Broken(f"{shown} comes in chunks")
        if not second:
            if not ended:
                raise Broken(f"behind {shown} the connection is neither closed nor of any use")
            continue
        kept.append(what)
        options = b",".join(first.values("connection")).lower()
        if b"keep-alive" not in options:
            raise Broken(f"the connection is kept behind {shown} without Connection: keep-alive")
    return f"kept for {', '.join(kept)} length" if kept else "HTTP/1.0 connections are not kept"


@trial("H108")
def answers_in_order(probe: Probe) -> str | None:
    """Requests that are sent at once are answered in their order."""
    slow = probe.client.head("GET", answer(probe, "slow", seconds=0.3))
    came = converse(probe, slow + word(probe, "quick") + behind(probe), 3)
    contents = [response.content for response in came.responses]
    wanted = [b"slow", b"quick", b"behind"]
    if not contents or contents != wanted[: len(contents)]:
        raise Broken(f"three requests at once are answered with {contents!r}")
    if len(contents) < 3 and not came.ended:
        raise Broken(
            f"of three requests at once, only {len(contents)} are answered, and the connection "
            "stays open"
        )
    return f"{len(contents)} of 3 requests at once are answered, in order"


@trial("H109")
def nothing_behind_wrong_framing(probe: Probe) -> str | None:
    """A sound request behind one whose framing is wrong is not answered."""
    hello = probe.target("hello")
    for request, what in (
        (post(probe, hello, b"Content-Length: x"), "Content-Length: x"),
        (post(probe, hello, b"Content-Length: 0", b"Content-Length: 1"), "two Content-Length"),
        (post(probe, hello, b"Transfer-Encoding: x-probe"), "Transfer-Encoding: x-probe"),
    ):
        must_refuse(probe, request, what=what)
    for chunks in (b"xyz\r\nhello\r\n0\r\n\r\n", b"5\r\nhello world\r\n0\r\n\r\n"):
        # The application does not read it, and may have answered before the fault is seen.
        came = converse(probe, post(probe, hello, CHUNKED) + chunks + behind(probe), 2)
        what = f"the chunks {chunks!r}"
        for response in came.behind:
            if response.content == b"behind" or response.status < 400:
                raise Broken(f"behind {what}, another request is answered")
        if not came.ended:
            raise Broken(f"the connection stays open after {what}")
    return None


@trial("H110")
def closing_in_stages(probe: Probe) -> str | None:
    """A response to a request whose content is still coming is not destroyed by a reset."""
    size = 8_000_000
    refused = answer(probe, "refused", status="403 Forbidden")
    some = b"x" * 65536
    faulty = _closed_in_stages(probe, post(probe, refused, b"Content-Length: x") + some, b"")
    request = post(probe, refused, b"Content-Length: %d" % size) + some
    sound = _closed_in_stages(probe, request, b"x" * (size - len(some)))
    return f"behind a faulty request {faulty}, behind a sound one {sound}"


def _closed_in_stages(probe: Probe, data: bytes, rest: bytes) -> str:
    """What becomes of a connection behind the response to a request of which more is coming;
    ``rest``: what is sent to a server that answers nothing before it has all."""
    with probe.client.connect() as connection:
        connection.send(data)
        response = connection.response("POST", SHORT if rest else PATIENCE)
        if not response and rest:
            connection.send(rest)
            response = connection.response("POST")
            if response:
                return "the content is read before the answer"
        if not response:
            raise Broken(f"the request is answered with {describe(response)}")
        if not response.complete:
            raise Broken("the response does not come whole while content is still on its way")
        # A server that has closed altogether answers what comes now with a reset.
        for _ in range(3):
            connection.send(b"x" * 100)
            time.sleep(0.05)
        connection.read_some(0.05)
        if connection.was_reset:
            raise Broken(
                f"the connection is reset behind a response ({describe(response)}), while content "
                "is still on its way"
            )
        return "it is closed in stages" if connection.ended else "the content is read"


@trial("H111")
def idle_connections_end_quietly(probe: Probe) -> str | None:
    """An idle connection ends without a reset and without a response."""
    with probe.client.connect() as connection:
        connection.send(word(probe, "hello"))
        response = connection.response()
        if not response:
            raise Broken(f"the request is answered with {describe(response)}")
        if connection.ended or response.closes:
            raise Untestable("the connection is not kept")
        rest = connection.read_all(_IDLE_SECONDS)
        if rest:
            raise Broken(f"on an idle connection comes {rest[:60]!r}")
        if connection.was_reset:
            raise Broken("an idle connection is reset")
        if not connection.ended:
            raise Untestable(f"an idle connection is kept for more than {_IDLE_SECONDS:g} seconds")
    return "closed in good order"


@trial("H112")
def closing_tls(probe: Probe) -> str | None:
    """Not asked: connections of the probe are plain."""
    raise Untestable("the probe connects without TLS")


@trial("H113")
def nothing_of_the_last_request(probe: Probe) -> str | None:
    """The second environ of a connection shows nothing of the first one's user."""
    secrets = (b"Authorization: Basic cHJvYmU6cHJvYmU=", b"Cookie: probe=first")
    target = probe.target("environ")
    with probe.client.connect() as connection:
        first, second = _then(
            connection,
            probe.client.head("GET", target, *secrets),
            "GET",
            probe.client.head("GET", target),
        )
    if b"probe=first" not in first.content:
        raise Broken("the cookie of a request is not in its environ")
    if not second:
        return "connections are not kept"
    seen = environ_of(second)
    for key in ("HTTP_COOKIE", "HTTP_AUTHORIZATION", "REMOTE_USER", "AUTH_TYPE"):
        if value := text_of(seen, key):
            raise Broken(f"the second request of a connection has {key} {value!r} of the first")
    return None
