"""The body of the response, what delimits it, when it is sent, and errors: S73 to S85, S88 to
S91."""

import time

from quaich.conformance.probe.judging import Broken, Probe, Untestable, describe, trial
from quaich.conformance.probe.trials.steps import (
    START,
    Step,
    anew,
    must_be,
    must_come_before,
    notes,
    played,
    raised,
    shorten,
    start,
    target,
)
from quaich.conformance.probe.wire import PATIENCE

_FIVE = start("200 OK", ("Content-Length", "5"))


@trial("S73")
def no_more_than_content_length(probe: Probe) -> str | None:
    """More bytes than Content-Length says, by several ways."""
    for what, call, blocks in (
        ("one block of 8", (_FIVE,), (b"12345678",)),
        ("blocks of 3, 4 and 1", (_FIVE,), (b"123", b"4567", b"8")),
        ("blocks of 5 and 3", (_FIVE,), (b"12345", b"678")),
    ):
        with probe.client.connect() as connection:
            request = target(probe, *blocks, call=call)
            connection.send(probe.client.head("GET", request))
            response = connection.response(seconds=1.5)
            rest = connection.read_until_quiet()
        if not response:
            raise Broken(f"{what}, of which Content-Length allows 5: no response")
        if response.status >= 500:
            continue
        came = response.content + rest
        if len(came) > 5:
            raise Broken(f"{what}, of which Content-Length allows 5, arrive as {shorten(came)}")
        if came != b"12345" and response.complete:
            raise Broken(f"{what}, of which Content-Length allows 5, arrive as {shorten(came)}")
    return None


@trial("S74")
def the_iteration_stops_at_content_length(probe: Probe) -> str | None:
    """The application notes whether it is asked for more."""
    played(probe, b"123", b"45", ("note", "asked"), b"678", call=(_FIVE,))
    notes(probe, wanted="closed")
    if notes(probe, "asked"):
        raise Broken("after the 5 bytes of its Content-Length, the result is asked for more")
    if not notes(probe, "closed"):
        raise Broken("after the 5 bytes of its Content-Length, the result is not closed")
    return None


@trial("S75")
def write_raises_beyond_content_length(probe: Probe) -> str | None:
    """write() of more than Content-Length allows, at once and in parts."""
    for what, data in (("8 bytes", (b"12345678",)), ("5 bytes, then 1", (b"12345", b"6"))):
        anew(probe)
        writes: tuple[Step, ...] = tuple(("write", each) for each in data)
        played(probe, call=(_FIVE, *writes))
        events = _written(probe, len(data))
        if events[-1]["raised"] is None:
            raise Broken(f"write() of {what} under a Content-Length of 5 does not raise")
    return None


@trial("S76")
def too_little_for_content_length(probe: Probe) -> str | None:
    """Fewer bytes than Content-Length says: the connection has to end. (The log is not seen.)"""
    for what, blocks in (
        ("one block of 3 bytes", (b"123",)),
        ("three blocks of 1 byte", (b"1", b"2", b"3")),
        ("no block", ()),
    ):
        with probe.client.connect() as connection:
            connection.send(probe.client.head("GET", target(probe, *blocks, call=(_FIVE,))))
            data = connection.read_all(1.5)
            closed = connection.ended
        if not closed:
            if not data:
                raise Broken(f"{what} under a Content-Length of 5: no response")
            raise Broken(f"{what} under a Content-Length of 5: the connection stays open")
    return "the connection is closed; whether it is logged cannot be seen from outside"


@trial("S77")
def a_body_without_length_ends_with_the_connection(probe: Probe) -> str | None:
    """Several blocks without Content-Length, in HTTP/1.1 and HTTP/1.0."""
    ways = []
    for version, lines in (("1.1", ()), ("1.0", (b"Connection: keep-alive",)), ("1.0", ())):
        request = target(probe, b"one", b"two")
        with probe.client.connect() as connection:
            connection.send(probe.client.head("GET", request, *lines, version=version))
            response = connection.response(seconds=1.5)
        must_be(response, b"onetwo", f"a response to HTTP/{version} without Content-Length")
        if not response.complete:
            raise Broken(
                f"a response to HTTP/{version} has neither Content-Length nor chunks, and the"
                " connection stays open"
            )
        ways.append(response.framing)
    return f"in HTTP/1.1 by {ways[0]}, in HTTP/1.0 by {ways[1]}"


@trial("S78")
def a_length_from_one_block_only(probe: Probe) -> str | None:
    """One block, several blocks, and blocks behind write()."""
    one: tuple[Step, ...] = (START, ("write", b"one"))
    for what, call, blocks, result in (
        ("a list of one block", (START,), (b"one",), "plain list"),
        ("a list of two blocks", (START,), (b"one", b"two"), "plain list"),
        ("an iterator of two blocks", (START,), (b"one", b"two"), "iterator"),
        ("a list of an empty block and another", (START,), (b"", b"two"), "plain list"),
        ("a list of one block behind write()", one, (b"two",), "plain list"),
    ):
        content = b"one" if call == one else b""
        content += b"".join(blocks)
        anew(probe)
        response = played(probe, *blocks, call=call, result=result)
        if call == one and not notes(probe, "start", wanted="start")[0].get("callable"):
            continue  # the server has no write()
        must_be(response, content, what)
    return None


@trial("S80")
def chunks_by_the_rules(probe: Probe) -> str | None:
    """Blocks with empty ones among them, in HTTP/1.1 and HTTP/1.0."""
    blocks: tuple[Step, ...] = (b"", b"one", b"", b"", b"two", b"")
    used = False
    for version in ("1.1", "1.0"):
        request = probe.client.head("GET", target(probe, *blocks), version=version)
        with probe.client.connect() as connection:
            connection.send(request)
            response = connection.response(seconds=1.5)
            rest = connection.read_until_quiet(0.2)
        what = f"blocks, in HTTP/{version},"
        must_be(response, b"onetwo", what)
        if response.framing != "chunked":
            continue
        used = True
        if version == "1.0":
            raise Broken("a request of HTTP/1.0 is answered in chunks")
        if not response.complete:
            raise Broken("the last chunk is missing")
        if response.values("content-length"):
            raise Broken("a response in chunks has a Content-Length")
        if rest:
            raise Broken(f"behind the last chunk, {shorten(rest)} is sent")
    return None if used else "the server sends no chunks"


# --- When blocks are sent ---------------------------------------------------------------------


@trial("S81")
def no_block_is_held_back(probe: Probe) -> str | None:
    """A block of two bytes, and one behind a larger one."""
    for what, blocks in (
        ("a block of two bytes", (b"^1",)),
        ("a block of two bytes behind one of 5000", (("zeros", 5000), b"^1")),
    ):
        request = target(probe, *blocks, ("sleep", 1.0), b"^2")
        must_come_before(probe, request, b"^1", b"^2", what)
    return None


@trial("S82")
def a_large_block_goes_out_entirely(probe: Probe) -> str | None:
    """A block larger than the buffers, and an application that takes its time for the next."""
    size = 12_000_000
    large = target(probe, ("zeros", size), ("sleep", 1.5), b"^2")
    with probe.client.connect() as connection:
        connection.send(probe.client.head("GET", large, b"Connection: close"))
        time.sleep(0.2)  # until the buffers are full
        came, before, mark = 0, 0.0, 0.0
        tail = b""
        deadline = time.monotonic() + 10 * PATIENCE  # of a server that never stops
        while not mark and (
            data := connection.read_some(min(PATIENCE, deadline - time.monotonic()))
        ):
            came += len(data)
            tail = (tail + data)[-100:]
            if b"^2" in tail:
                mark = time.monotonic()
            elif came >= size and not before:
                before = time.monotonic()
    if not mark:
        raise Broken(f"a block of 12 MB is broken off after {came} bytes")
    if not before or mark - before < 0.3:
        raise Broken(
            "the end of a block of 12 MB arrives only with the next block, although the"
            " application sleeps in between"
        )
    return None


@trial("S83")
def write_sends_at_once(probe: Probe) -> str | None:
    """The application sleeps after write()."""
    _need_write(probe)
    call: tuple[Step, ...] = (START, ("write", b"^1"), ("sleep", 1.0), ("write", b"^2"))
    must_come_before(probe, target(probe, call=call), b"^1", b"^2", "data of write()")
    return None


@trial("S84")
def write_before_the_result(probe: Probe) -> str | None:
    """Data of write(), then blocks."""
    _need_write(probe)
    call: tuple[Step, ...] = (START, ("write", b"one "), ("write", b"two "))
    for result in ("plain list", "generator"):
        response = played(probe, b"three ", b"four", call=call, result=result)
        must_be(response, b"one two three four", f"what was written before a {result}")
    return None


@trial("S85")
def the_result_after_write(probe: Probe) -> str | None:
    """An empty result after write(), and one with blocks."""
    _need_write(probe)
    call: tuple[Step, ...] = (START, ("write", b"written"))
    for what, blocks, result in (
        ("an empty list", (), "plain list"),
        ("an empty iterator", (), "iterator"),
        ("a list of one block", (b" and returned",), "plain list"),
        ("an iterator of two blocks", (b" and", b" returned"), "iterator"),
    ):
        response = played(probe, *blocks, call=call, result=result)
        must_be(response, b"written" + b"".join(blocks), f"write() and {what}")
    return None


@trial("S88")
def blocks_are_bytes(probe: Probe) -> str | None:
    """Blocks of other types have to fail before the head is sent."""
    if played(probe, b"bytes", result="plain list").content != b"bytes":
        raise Untestable("a block of bytes is not served either")
    taken = []
    for what, block in (
        ("str", "text"),
        ("bytearray", ("array", b"bytes")),
        ("memoryview", ("view", b"bytes")),
    ):
        for result in ("plain list", "generator"):
            response = played(probe, block, result=result)
            if response and response.status < 500:
                got = f"{describe(response)} and {shorten(response.content)}"
                taken.append(f"a {what} in a {result} is answered with {got}")
                break
    if taken:
        raise Broken("; ".join(taken))
    return None


# --- Errors -----------------------------------------------------------------------------------


@trial("S89")
def exceptions_are_caught(probe: Probe) -> str | None:
    """Exceptions in the call and in the iteration: a response of 5xx, and the server goes on."""
    for what, call, blocks in (
        ("in the call", (("fail", ""),), ()),
        ("in the call, after start_response", (START, ("fail", "")), ()),
        ("of the first step", (START,), (("fail", ""),)),
        ("in the call, of the type ConnectionResetError", (("fail", "ConnectionResetError"),), ()),
    ):
        response = played(probe, *blocks, call=call)
        if response.status < 500:
            raise Broken(f"an exception {what} is answered with {describe(response)}")
        if not probe.is_alive():
            raise Broken(f"after an exception {what}, the server answers nothing more")
    return "answered with 5xx; whether it is logged cannot be seen from outside"


@trial("S91")
def a_response_is_broken_off(probe: Probe) -> str | None:
    """Exceptions after the first block, without Content-Length and with it."""
    for what, step in (
        ("without Content-Length", START),
        ("with Content-Length", start("200 OK", ("Content-Length", "100"))),
    ):
        request = target(probe, b"block", b"block", ("fail", ""), call=(step,))
        with probe.client.connect() as connection:
            connection.send(probe.client.head("GET", request))
            response = connection.response(seconds=1.5)
            closed = connection.is_closed(1.0)
        if response.status >= 500:
            continue  # nothing had been sent
        if not response:
            if not closed:
                raise Broken(f"{what}, an error after the first block gets no answer")
            continue
        if response.complete:
            way = {"chunked": "the last chunk", "length": "all of its length"}
            seen = way.get(response.framing, "an ordinary end of the connection")
            raise Broken(f"{what}, a response with an error half-way is whole: it has {seen}")
        if not closed:
            raise Broken(f"{what}, after an error half-way the connection stays open")
    return None


# --- write() ------------------------------------------------------------------------------------


def _need_write(probe: Probe) -> None:
    anew(probe)
    played(probe, b"block")
    events = notes(probe, "start", wanted="start")
    if not (events and events[0].get("callable")):
        raise Untestable("start_response returns no write(): see S13")
    anew(probe)


def _written(probe: Probe, count: int) -> list[dict[str, object]]:
    """What came of calls of write()."""
    events = notes(probe, "start", "write", wanted="write")
    if not (events and events[0].get("callable")):
        raise Untestable("start_response returns no write(): see S13")
    writes = [each for each in events if each["event"] == "write"]
    for event in writes[: count - 1]:
        if event["raised"] is not None:
            raise Broken(f"write() within the Content-Length: {raised(event)}")
    if len(writes) < count:
        raise Untestable("the application could not go on")
    return writes
