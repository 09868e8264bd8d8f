"""start_response and the head of the response: S61 to S72, S87."""

from typing import Any, Final

from quaich.conformance.probe.judging import Advised, Broken, Probe, Untestable, describe, trial
from quaich.conformance.probe.trials.steps import (
    START,
    TEXT,
    Step,
    anew,
    must_be,
    notes,
    played,
    raised,
    shorten,
    start,
    target,
)

# RFC 2616, 13.5.1, to which PEP 3333 refers.
_HOP_BY_HOP: Final = (
    ("Connection", "close"),
    ("connection", "keep-alive"),
    ("KEEP-ALIVE", "timeout=5"),
    ("Proxy-Authenticate", "Basic"),
    ("Proxy-Authorization", "Basic Y3Vw"),
    ("TE", "trailers"),
    ("Trailers", "X-Cup"),
    ("Transfer-Encoding", "chunked"),
    ("transfer-encoding", "gzip"),
    ("Upgrade", "websocket"),
)

# Behind calls that may have failed, so that there is a response.
_RESCUE: Final = start("200 OK", ("Content-Length", "5"), exc="raised")

# What start_response is given, with something wrong.
_WRONG: Final[dict[str, tuple[Any, Any]]] = {
    "a status of bytes": (b"200 OK", [TEXT]),
    "a status that is no text": (200, [TEXT]),
    "a status without a code": ("fine", [TEXT]),
    "a status with a line break": ("200 OK\r\nX-Cup: 1", [TEXT]),
    "a value of bytes": ("200 OK", [TEXT, ("X-Cup", b"1")]),
    "a value that is a number": ("200 OK", [TEXT, ("X-Cup", 1)]),
    "a value with a line break": ("200 OK", [TEXT, ("X-Cup", "1\r\nX-Saucer: 2")]),
    "a value with NUL": ("200 OK", [TEXT, ("X-Cup", "1\0")]),
    "a value beyond ISO-8859-1": ("200 OK", [TEXT, ("X-Cup", "\u20ac")]),
    "a name of bytes": ("200 OK", [TEXT, (b"X-Cup", "1")]),
    "a name with a colon": ("200 OK", [TEXT, ("X-Cup:", "1")]),
    "a name with a line break": ("200 OK", [TEXT, ("X-Cup\r\nX-Saucer", "1")]),
    "a header of one part": ("200 OK", [TEXT, ("X-Cup",)]),
    "a header that is a list": ("200 OK", [TEXT, ["X-Cup", "1"]]),
    "headers that are a tuple": ("200 OK", (TEXT,)),
}


@trial("S61")
def headers_that_http_requires(probe: Probe) -> str | None:
    """The application gives a Content-Type alone."""
    for what, blocks in (("one block", (b"one",)), ("two blocks", (b"one", b"two"))):
        request = target(probe, *blocks)
        with probe.client.connect() as connection:
            connection.send(probe.client.head("GET", request))
            response = connection.response(seconds=1.5)
            must_be(response, b"".join(each for each in blocks), f"a response of {what}")
            if not response.value("date"):
                raise Broken(f"a response of {what} has no Date")
            if response.framing == "close" and not connection.is_closed(1.0):
                raise Broken(
                    f"a response of {what} has neither Content-Length nor chunks, and the"
                    " connection stays open"
                )
    return None


@trial("S62")
def names_without_regard_to_case(probe: Probe) -> str | None:
    """The application gives Date, Server and Content-Length in odd spellings."""
    date = "Tue, 15 Nov 1994 08:12:31 GMT"
    own = (("dAtE", date), ("sERVER", "cups"), ("content-LENGTH", "5"))
    response = played(probe, b"block", call=(start("200 OK", *own),))
    must_be(response, b"block", "a response with headers in odd spellings")
    for name in ("date", "server", "content-length", "content-type"):
        if len(response.values(name)) > 1:
            raise Broken(f"the application gives {name}, and the response has it twice")
    return None


@trial("S63")
def hop_by_hop_headers(probe: Probe) -> str | None:
    """Each hop-by-hop header in turn."""
    _need_sound(probe)
    taken = [
        f"{name}: {value}"
        for name, value in _HOP_BY_HOP
        if not _raises(probe, "200 OK", [TEXT, (name, value)])
    ]
    if taken:
        raise Broken(f"start_response takes {', '.join(taken)}")
    return None


@trial("S64")
def errors_in_the_call(probe: Probe) -> str | None:
    """Types, characters and forms that are wrong."""
    _need_sound(probe)
    taken = [what for what, wrong in _WRONG.items() if not _raises(probe, *wrong)]
    if taken:
        raise Broken(f"start_response does not raise for {', '.join(taken)}")
    return f"raised for {len(_WRONG)} errors"


@trial("S65")
def start_response_sends_nothing(probe: Probe) -> str | None:
    """The application sleeps between start_response and its first block."""
    for what, call, blocks in (
        ("in the call", (START, ("sleep", 0.8)), (b"block",)),
        ("before the first block", (START,), (("sleep", 0.8), b"block")),
    ):
        steps: tuple[Step, ...] = call
        with probe.client.connect() as connection:
            request = target(probe, *blocks, call=steps)
            connection.send(probe.client.head("GET", request, b"Connection: close"))
            early = connection.read_some(0.5)
            connection.unread(early)
            must_be(connection.response(seconds=2.0), b"block", "the response")
            if early:
                raise Broken(
                    f"while the application sleeps {what}, {shorten(early)} has been sent already"
                )
    return None


@trial("S66")
def empty_blocks_send_no_head(probe: Probe) -> str | None:
    """The status is replaced after empty blocks, and at the end of a result without any."""
    other = start("503 Replaced", exc="raised")
    for what, blocks, content in (
        ("after an empty block", (b"", b"", other, b"block"), b"block"),
        ("at the end of empty blocks", (b"", other), b""),
        ("at the end of a result without blocks", (other,), b""),
    ):
        must_be(played(probe, *blocks), content, f"a status that is replaced {what}", 503)
    return None


@trial("S68")
def exc_info_replaces_the_head(probe: Probe) -> str | None:
    """Two calls before anything is sent."""
    first = start("200 OK", ("X-First", "1"), ("Set-Cookie", "first=1"))
    second = start("500 Second", ("X-Second", "2"), exc="raised")
    for what, call, blocks in (
        ("in the call", (first, second), (b"block",)),
        ("in the iteration", (first,), (second, b"block")),
    ):
        response = played(probe, *blocks, call=call)
        must_be(response, b"block", f"a status that is replaced {what}", 500)
        if response.value("x-second") != b"2":
            raise Broken(f"replaced {what}: the second headers are not in the response")
        for name in ("x-first", "set-cookie"):
            if response.value(name) is not None:
                raise Broken(f"replaced {what}: the first call's {name} is in the response")
    return None


@trial("S69")
def exc_info_is_raised_after_the_head(probe: Probe) -> str | None:
    """start_response is called with exc_info, outside any except block, after a block."""
    late = start("500 Late", exc="raised")
    played(probe, b"block", late, ("fail", ""))
    events = notes(probe, "start", wanted="start")
    if len(events) < 2:
        raise Untestable("the application was not asked for what follows its first block")
    if events[1]["raised"] is None:
        raise Broken("start_response with exc_info, after a block has been sent, does not raise")
    if not events[1]["own"]:
        raise Advised(
            f"start_response with exc_info, after a block has been sent: {raised(events[1])},"
            " which is allowed; but the exception that was passed is lost"
        )
    return "the exception that was passed is raised"


@trial("S70")
def a_second_call(probe: Probe) -> str | None:
    """Calls without exc_info, after one that was sound, and after one that raised."""
    wrong: Step = ("start", "200 OK", [TEXT, ("X-Cup", 1)])
    for what, first in (("", start()), (" after one that raised", wrong)):
        anew(probe)
        played(probe, b"block", call=(first, start("201 Second"), _RESCUE))
        events = notes(probe, "start", wanted="start")
        if len(events) < 2:
            raise Untestable("the application was not run")
        if not what and events[0]["raised"] is not None:
            raise Untestable(f"of a first call that is sound: {raised(events[0])}")
        if what and events[0]["raised"] is None:
            return "the first call takes wrong headers, so that it cannot be tried after an error"
        if events[1]["raised"] is None:
            raise Broken(f"a second call of start_response without exc_info{what} does not raise")
    return None


@trial("S71")
def exc_info_is_not_kept(probe: Probe) -> str | None:
    """An object in the frame that raised has to be gone when the call has returned."""
    response = probe.client.get(probe.target("keep"), b"Connection: close")
    if response.content == b"kept":
        raise Broken("after start_response has returned, exc_info is still referred to")
    if response.content != b"gone":
        raise Untestable(f"the application that looks is answered with {describe(response)}")
    return None


@trial("S72")
def none_is_no_exc_info(probe: Probe) -> str | None:
    """None as the third argument, in the first call and in the second."""
    response = played(probe, b"block", call=(start(exc=None),))
    for event in notes(probe, "start", wanted="start"):
        if event["raised"] is not None:
            raise Broken(f"a first call with None as exc_info: {raised(event)}")
    must_be(response, b"block", "a response whose exc_info was None")
    anew(probe)
    played(probe, b"block", call=(start(), start(exc=None), _RESCUE))
    events = notes(probe, "start", wanted="start")
    if len(events) < 2:
        raise Untestable("the application was not run")
    if events[1]["raised"] is None:
        raise Broken("a second call of start_response with None as exc_info does not raise")
    return None


@trial("S87")
def text_beyond_latin(probe: Probe) -> str | None:
    """A status and headers with a euro sign: an error, or nothing of that head is sent."""
    for what, step in (
        ("status", start("200 \u20ac")),
        ("value", start("200 OK", ("X-Cup", "\u20ac"))),
        ("name", start("200 OK", ("X-\u20ac", "1"))),
    ):
        anew(probe)
        with probe.client.connect() as connection:
            request = target(probe, b"block", call=(step,))
            connection.send(probe.client.head("GET", request, b"Connection: close"))
            data = connection.read_all(1.0)
            connection.unread(data)
            response = connection.response(seconds=0.1)
        # Where it raises, what the server makes of an application that goes on is its own affair.
        if any(each["raised"] is not None for each in notes(probe, "start", wanted="start")):
            continue
        if response.status >= 500:
            continue
        if response:
            raise Broken(f"a {what} with a euro sign is answered with {describe(response)}")
        if data:
            raise Broken(f"a {what} with a euro sign breaks off within the head: {shorten(data)}")
        raise Broken(f"a {what} with a euro sign gets no answer")
    return None


def _need_sound(probe: Probe) -> None:
    """Errors say nothing of a server whose start_response raises for anything."""
    if _raises(probe, "200 OK", [TEXT, ("X-Cup", "1")]):
        raise Untestable("start_response raises for a status and headers that are sound")


def _raises(probe: Probe, status: Any, headers: Any) -> bool:
    """Whether start_response raises for these."""
    anew(probe)
    step: Step = ("start", status, headers)
    played(probe, b"block", call=(step, _RESCUE))
    events = notes(probe, "start", wanted="start")
    if not events:
        raise Untestable("the application was not run")
    return events[0]["raised"] is not None
