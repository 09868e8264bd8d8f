"""Several requests on one connection and what comes of them: what trials of framing share."""

import json
import time
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from quaich.conformance.probe.judging import Broken, Probe, Untestable, describe
from quaich.conformance.probe.wire import PATIENCE, QUIET, Connection, Response

SHORT: Final = 0.6
"""Seconds in which an answer that must not come would have come: the server waits, as it should."""


@dataclass(frozen=True)
class Came:
    """What came on a connection. ``ended``: the server has closed it."""

    responses: tuple[Response, ...]
    ended: bool

    @property
    def first(self) -> Response:
        """The first response; NOTHING's like if none came."""
        return self.responses[0] if self.responses else Response(b"")

    @property
    def behind(self) -> tuple[Response, ...]:
        """The responses behind the first."""
        return self.responses[1:]


def answer(
    probe: Probe,
    *blocks: str,
    status: str = "200 OK",
    headers: tuple[str, ...] = (),
    **more: object,
) -> str:
    """The target for an answer that has these parts; headers as ``Name: value``."""
    parts = [("status", status)]
    parts += [("header", each) for each in headers]
    parts += [("block", each) for each in blocks]
    text = "&".join(f"{name}={quote(value, safe='/:,;=')}" for name, value in parts)
    return f"{probe.target('answer', **more)}&{text.replace(';', '%3B')}"


def word(probe: Probe, text: str, *lines: bytes, version: str = "1.1") -> bytes:
    """An ordinary request that is answered with ``text``."""
    target = answer(probe, text, headers=(f"Content-Length: {len(text)}",))
    return probe.client.head("GET", target, *lines, version=version)


def behind(probe: Probe) -> bytes:
    """A sound request to be sent behind another, answered with ``behind``. It is the last, so that
    what comes behind its answer need not be waited for."""
    return word(probe, "behind", b"Connection: close")


def converse(probe: Probe, data: bytes, wanted: int, *methods: str) -> Came:
    """Send all at once on a fresh connection and read responses: as many as wanted, and one more
    than there should be. ``methods``: of the requests in their order, GET behind them."""
    with probe.client.connect() as connection:
        connection.send(data)
        return collect(connection, wanted, *methods)


def collect(connection: Connection, wanted: int, *methods: str) -> Came:
    """The responses to what has been sent; see :func:`converse`."""
    responses: list[Response] = []
    for number in range(wanted + 1):
        method = methods[number] if number < len(methods) else "GET"
        response = connection.response(method, PATIENCE if number < wanted else QUIET)
        if not response and not response.raw:
            break
        # Without a status line, nothing is its content.
        responses.append(response or Response(response.raw))
    return Came(tuple(responses), connection.ended)


def must_end(came: Came, what: str) -> None:
    """Behind the first response nothing may come, and the connection has to close."""
    if came.behind:
        raise Broken(f"behind {what}, another request is answered: {describe(came.behind[0])}")
    if not came.ended:
        raise Broken(f"the connection stays open after {what}")


def must_refuse(
    probe: Probe, data: bytes, *codes: int, what: str, may_drop: bool = True
) -> Response:
    """The request has to be answered with one of the codes (none given: any 4xx or 5xx) or, if it
    may be, dropped; the connection has to close, and a sound request that is sent behind must not
    be answered."""
    came = converse(probe, data + behind(probe), 2)
    if came.first:
        allowed = codes or tuple(range(400, 600))
        if came.first.status not in allowed:
            wanted = " or ".join(map(str, codes)) if codes else "4xx or 5xx"
            raise Broken(f"{what} is answered with {describe(came.first)}, not {wanted}")
    elif came.responses:
        raise Broken(f"{what} is answered with {describe(came.first)}")
    elif not came.ended:
        raise Broken(f"{what} is neither answered nor is the connection closed")
    elif not may_drop and not probe.client.ask(data):
        # Alone: with a request behind it, a reset may have destroyed an answer.
        wanted = " or ".join(map(str, codes))
        raise Broken(f"after {what} the connection is closed without an answer, not {wanted}")
    must_end(came, what)
    return came.first


def must_not_serve(probe: Probe, data: bytes, what: str) -> None:
    """The request may be refused or dropped, or the server may wait for more, but it must not be
    answered as if it were whole."""
    with probe.client.connect() as connection:
        connection.send(data)
        response = connection.response(seconds=SHORT)
        if response and response.status < 400:
            raise Broken(f"{what} is answered with {describe(response)}")
    if not probe.is_alive():
        raise Broken(f"the server answers nothing any more after {what}")


def post(probe: Probe, target: str, *lines: bytes, version: str = "1.1") -> bytes:
    """The head of a POST request."""
    return probe.client.head("POST", target, *lines, version=version)


CHUNKED: Final = b"Transfer-Encoding: chunked"
HELLO_CHUNKS: Final = b"5\r\nhello\r\n0\r\n\r\n"


def behind_content(response: Response) -> dict[str, Any]:
    """The environ that ``environ_behind_content`` shows."""
    try:
        return dict(json.loads(response.content))
    except ValueError:
        raise Broken(
            f"the request is answered with {describe(response)}, and the content is "
            f"{response.content[:40]!r}, not what the application gives"
        ) from None


def need_content(probe: Probe) -> None:
    """Nothing can be said of a server that does not serve a plain body with a length."""
    _need(probe, b"Content-Length: 5", b"hello", "a plain body with Content-Length")


def need_chunks(probe: Probe) -> None:
    """Nothing can be said of a server that does not understand a plain body in chunks."""
    _need(probe, CHUNKED, HELLO_CHUNKS, "a plain body in chunks")


def _need(probe: Probe, line: bytes, content: bytes, what: str) -> None:
    target = probe.target("environ_behind_content")  # which leaves no "read" in the log
    response = probe.client.ask(post(probe, target, line) + content, "POST")
    try:
        seen = behind_content(response)["content"][1]
    except Broken:
        seen = ""
    if response.status != 200 or seen != "hello":
        raise Untestable(
            f"{what} is not served: the answer is {describe(response)}, and the application has "
            f"read {seen[:40]!r}"
        )


def must_not_look_whole(probe: Probe, data: bytes, what: str) -> None:
    """The sending side ends behind ``data``, a request for ``echo`` whose content is not whole.
    The application must not read it as if it were, and the connection has to close."""
    before = len(probe.log())
    with probe.client.connect() as connection:
        connection.send(data)
        connection.finish()
        response = connection.response("POST")
        ended = connection.is_closed()
    events = _noted_behind(probe, before, 0.0 if response else SHORT)
    for event in events:
        if event["event"] == "read":
            raise Broken(
                f"of {what}, the application reads {event['size']} bytes and then the end, as if "
                f"that were all; the answer is {describe(response)}"
            )
    if response and response.status < 400:
        raise Broken(f"{what} is answered with {describe(response)}")
    if not ended:
        raise Broken(f"the connection stays open after {what}")


def _noted_behind(probe: Probe, before: int, seconds: float) -> list[dict[str, Any]]:
    """What the application notes behind the first so many events, once there is something, or
    after so many seconds."""
    deadline = time.monotonic() + seconds
    while True:
        events = probe.log()[before:]
        if events or time.monotonic() >= deadline:
            return events
        time.sleep(0.05)


def get(probe: Probe, target: str, method: str = "GET", version: str = "1.1") -> Response:
    """The response to an ordinary request, which has to come."""
    response = probe.client.ask(probe.client.head(method, target, version=version), method)
    if not response:
        raise Broken(f"{method} {target} is answered with {describe(response)}")
    return response
