"""What the trials of WSGI have the application ``play``: steps in the call, and a result of some
kind whose iteration takes others.

A block of the result is a step too: ``[("note", "asked"), b"block", ("sleep", 1.0)]``.
"""

import time
from typing import Any, Final
from urllib.parse import quote

from quaich.conformance.probe.judging import Broken, Probe, Untestable, describe
from quaich.conformance.probe.wire import PATIENCE, Response

Step = bytes | str | tuple[Any, ...]

WAIT = 5.0
"""Seconds that something may take to be noted, such as a call of close()."""

_END_SECONDS: Final = 2.0  # that a response may take to end, once it has begun

TEXT: Final = ("Content-Type", "text/plain")
START: Final = ("start", "200 OK", [TEXT])


def start(status: str = "200 OK", *headers: tuple[str, str], exc: object = ...) -> Step:
    """start_response with two arguments; with a third if ``exc`` is given: ``None``, or
    ``"raised"`` for the exc_info of an exception."""
    arguments: tuple[object, ...] = () if exc is ... else (exc,)
    return ("start", status, [TEXT, *headers], *arguments)


def target(
    probe: Probe,
    *blocks: Step,
    call: tuple[Step, ...] = (START,),
    result: str = "iterable",
) -> str:
    """The target of a request that plays it."""
    return probe.target(
        "play",
        call=quote(repr(list(call)), safe=""),
        blocks=quote(repr(list(blocks)), safe=""),
        result=quote(result),
    )


def played(
    probe: Probe,
    *blocks: Step,
    call: tuple[Step, ...] = (START,),
    result: str = "iterable",
    method: str = "GET",
) -> Response:
    """The response to such a request. Once it has begun, its end is not waited for long: a server
    that does not end its responses is found by other trials."""
    request = target(probe, *blocks, call=call, result=result)
    with probe.client.connect() as connection:
        connection.send(probe.client.head(method, request, b"Connection: close"))
        connection.unread(connection.read_some())
        return connection.response(method, _END_SECONDS)


def calls(probe: Probe, *each: tuple[Any, ...], file: str = "wsgi.input") -> str:
    """The target of a request that calls methods of a stream: ``("read", 5)``."""
    return probe.target("stream", file=file, calls=quote(repr(list(each)), safe=""))


def notes(probe: Probe, *names: str, wanted: str | None = None) -> list[dict[str, Any]]:
    """What the application has noted under these names; with ``wanted``, once that is there."""
    events = probe.log(wanted, WAIT)
    if not any(each["event"] == "called" for each in events):
        raise Untestable(
            "the application's log does not show the request: it was not called, or another"
            " process answers for the log"
        )
    return [each for each in events if each["event"] in names]


def must_happen_once(probe: Probe, event: str, what: str) -> None:
    """``event`` must be noted, once. ``what``: which call it is."""
    count = sum(each["event"] == event for each in probe.log(event, WAIT))
    if count == 1:  # so far: another may come behind it
        count = sum(each["event"] == event for each in probe.log())
    if count != 1:
        raise Broken(f"{what} is called {count} times")


def anew(probe: Probe) -> None:
    """A tag of its own for what is asked next, so that its notes stand alone."""
    probe.tag += "."


def must_come_before(probe: Probe, target: str, first: bytes, second: bytes, what: str) -> None:
    """``first`` must arrive well before ``second``, since the application sleeps a second in
    between."""
    arrived: dict[bytes, float] = {}
    with probe.client.connect() as connection:
        connection.send(probe.client.head("GET", target, b"Connection: close"))
        data = b""
        deadline = time.monotonic() + PATIENCE + 1
        while second not in arrived and (left := deadline - time.monotonic()) > 0:
            piece = connection.read_some(left)
            now = time.monotonic()
            data = data[-20:] + piece
            for mark in (first, second):
                if mark in data:
                    arrived.setdefault(mark, now)
            if not piece:
                break
    for mark in (first, second):
        if mark not in arrived:
            raise Broken(f"{what}: {shorten(mark)} does not arrive")
    if arrived[second] - arrived[first] < 0.3:
        raise Broken(
            f"{what}: {shorten(first)} arrives together with {shorten(second)}, although the"
            " application sleeps for a second in between"
        )


def must_be(response: Response, content: bytes, what: str, status: int = 200) -> None:
    """The response must have this content. How it ends is a matter of other rules."""
    if response.status != status:
        raise Broken(f"{what} is answered with {describe(response)}, not {status}")
    if response.content != content:
        got, sizes = response.content, ""
        if len(got) != len(content) > 40:
            sizes = f" ({len(got)} bytes, not {len(content)})"
        raise Broken(f"{what} arrives as {shorten(got)}, not {shorten(content)}{sizes}")


def shorten(value: object) -> str:
    """A value for a detail."""
    text = repr(value)
    return text if len(text) <= 120 else text[:119] + "…"


def raised(event: dict[str, Any]) -> str:
    """What a call raised, in a few words."""
    if event["raised"] is None:
        return "nothing was raised"
    return f"{event['raised']}({shorten(event['message'])}) was raised"


def show(value: list[Any] | None) -> str:
    """A variable, for a detail."""
    return "absent" if value is None else f"{shorten(value[1])} ({value[0]})"
