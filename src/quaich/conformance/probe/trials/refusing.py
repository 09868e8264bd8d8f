"""Requests that must not be served, and what comes on a connection that has one of them.

control, need_content,    what is sound has to be served, or a refusal of what is not would say
need_chunks               nothing
refuse_each               several requests have to be refused
refuse_framing            the same where the fault is in the framing: each is a connection's last
must_refuse               one of these
converse, must_end        several requests on one connection
must_not_serve,           what is not whole is no request
must_not_look_whole
"""

import contextlib
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from quaich.conformance.probe.judging import Broken, Probe, Untestable, describe
from quaich.conformance.probe.trials.asking import (
    CHUNKED,
    HELLO_CHUNKS,
    behind,
    environ_of,
    post,
    send,
    text_of,
    told,
)
from quaich.conformance.probe.wire import NOTHING, PATIENCE, QUIET, Connection, Response

SHORT: Final = 0.6
"""Seconds in which an answer that must not come would have come: the server waits, as it should."""


# --- What is sound ------------------------------------------------------------------------------


def control(probe: Probe, data: bytes, what: str = "a request without the fault") -> Response:
    """This has to be served, or a refusal of what is wrong would say nothing."""
    response = probe.client.ask(data)
    if not _serves(probe, response):
        raise Untestable(f"{what} is answered with {describe(response)}")
    return response


def is_served(probe: Probe, data: bytes) -> bool:
    """Whether the application gets to see it."""
    return _serves(probe, probe.client.ask(data))


def _serves(probe: Probe, response: Response) -> bool:
    # Of an application that is not ours, nobody knows with which statuses it answers.
    return response.status == 200 if probe.has_application else response.status not in (0, 400)


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
        read = text_of(environ_of(response), "content")
    except Broken:
        read = ""
    if read != "hello":
        raise Untestable(
            f"{what} is not served: the answer is {describe(response)}, and the application has "
            f"read {read[:40]!r}"
        )


# --- Refusals -----------------------------------------------------------------------------------


def refuse_each(
    probe: Probe, cases: Iterable[tuple[str, bytes]], *codes: int, must_answer: bool = False
) -> str:
    """Each of the requests has to be answered with one of the codes, or, unless the rule wants an
    answer, dropped. Returns what came."""
    wrong: dict[str, list[str]] = {}
    came: dict[str, int] = {}
    for what, data in cases:
        response = send(probe, data, what)
        dropped = not response.raw
        outcome = told(response)
        if (dropped and must_answer) or (not dropped and response.status not in codes):
            wrong.setdefault(outcome, []).append(what)
        came[outcome] = came.get(outcome, 0) + 1
    if wrong:
        told_of = "; ".join(f"{outcome}: {', '.join(names)}" for outcome, names in wrong.items())
        raise Broken(f"not refused with {' or '.join(map(str, codes))}, but {told_of}")
    return ", ".join(f"{count} {outcome}" for outcome, count in came.items())


def refuse_framing(
    probe: Probe,
    need: Callable[[Probe], None],
    cases: Iterable[tuple[str, bytes]],
    *codes: int,
    may_drop: bool = True,
) -> str:
    """Where ``need`` has found that the same is served without the fault, each of the requests has
    to be refused as :func:`must_refuse` says. Returns what came."""
    need(probe)
    came: dict[str, int] = {}
    for what, data in cases:
        outcome = told(must_refuse(probe, data, *codes, what=what, may_drop=may_drop))
        came[outcome] = came.get(outcome, 0) + 1
    return ", ".join(f"{count} {outcome}" for outcome, count in came.items())


def must_refuse(
    probe: Probe, data: bytes, *codes: int, what: str, may_drop: bool = True
) -> Response:
    """The request has to be answered with one of the codes (none given: any 4xx or 5xx) or, if it
    may be, dropped; the connection has to close, and a sound request that is sent behind must not
    be answered."""
    came = converse(probe, data + behind(probe), 2)
    response = came.first
    if not came.responses and not came.ended:
        raise Broken(f"{what} is neither answered nor is the connection closed")
    if not came.responses and not may_drop:
        # Alone: with a request behind it, a reset may have destroyed an answer.
        response = probe.client.ask(data)
        if not response:
            wanted = " or ".join(map(str, codes))
            raise Broken(f"after {what} the connection is closed without an answer, not {wanted}")
    if came.responses or response:
        _must_be_refusal(response, codes, what)
    must_end(came, what)
    return response


def _must_be_refusal(response: Response, codes: tuple[int, ...], what: str) -> None:
    if response.status not in (codes or range(400, 600)):
        wanted = " or ".join(map(str, codes)) if codes else "4xx or 5xx"
        raise Broken(f"{what} is answered with {describe(response)}, not {wanted}")


# --- Several requests on one connection -----------------------------------------------------------


@dataclass(frozen=True)
class Came:
    """What came on a connection. ``ended``: the server has closed it."""

    responses: tuple[Response, ...]
    ended: bool

    @property
    def first(self) -> Response:
        """The first response; ``NOTHING`` if none came."""
        return self.responses[0] if self.responses else NOTHING

    @property
    def behind(self) -> tuple[Response, ...]:
        """The responses behind the first."""
        return self.responses[1:]


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


# --- Requests that are not whole ------------------------------------------------------------------


def must_not_serve(probe: Probe, data: bytes, what: str) -> None:
    """The request may be refused or dropped, or the server may wait for more, but it must not be
    answered as if it were whole."""
    with probe.client.connect() as connection:
        connection.send(data)
        response = connection.response(seconds=SHORT)
        if not response and not connection.ended:
            # A busy server has had its time once it has answered another request; one that serves
            # a connection at a time cannot.
            with contextlib.suppress(OSError):
                probe.client.ask(probe.client.head(), seconds=SHORT)
            response = connection.response(seconds=QUIET)
        if response and response.status < 400:
            raise Broken(f"{what} is answered with {describe(response)}")
    if not probe.is_alive():
        raise Broken(f"the server answers nothing any more after {what}")


def must_not_take(probe: Probe, data: bytes, what: str) -> str:
    """A large request has to be refused, or dropped. Returns which."""
    with probe.client.connect() as connection:
        connection.send(data)
        response = connection.response("POST")
        ended = connection.ended or connection.was_reset
    if response and response.status < 400:
        raise Broken(f"{what}: the answer is {describe(response)}")
    if not response and not ended:
        raise Broken(f"{what}: there is no answer, and the connection stays open")
    return f"refused with {describe(response)}" if response else "dropped"


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
