"""How the trials of requests ask: a request made of its octets, and what comes of it.

ordinary      the target of a request in which nothing is wrong
request       a head from a whole request line
send          one request on a fresh connection; falsy where the server drops it
control       the same request without the fault has to be served
refuse_each   several requests have to be refused
seen          the environ of a request, or None where it is refused
"""

import json
from collections.abc import Iterable
from typing import Any

from quaich.conformance.probe.judging import Broken, Probe, Untestable, describe
from quaich.conformance.probe.wire import Response

Environ = dict[str, Any]


def ordinary(probe: Probe) -> bytes:
    """A target that is served: of the application, if it is the probe's."""
    return probe.target("hello").encode() if probe.has_application else b"/"


def request(probe: Probe, line: bytes, *lines: bytes) -> bytes:
    """The head of a request line, with Host unless it is among the field lines."""
    fields = list(lines)
    if not any(each.lower().startswith(b"host:") for each in lines):
        fields.insert(0, b"Host: " + probe.client.authority)
    return b"\r\n".join([line, *fields, b"", b""])


def get(probe: Probe, *lines: bytes) -> bytes:
    """The head of an ordinary GET with these field lines."""
    return request(probe, b"GET %b HTTP/1.1" % ordinary(probe), *lines)


def send(probe: Probe, data: bytes, what: str) -> Response:
    """What comes on a fresh connection; falsy, without a byte, where the server closes it."""
    with probe.client.connect() as connection:
        connection.send(data)
        response = connection.response()
        if not response.raw and not connection.ended:
            raise Broken(f"{what} is neither answered nor is the connection closed")
    if not response.raw and not probe.is_alive():
        raise Broken(f"behind {what}, the server answers no more")
    return response


def control(probe: Probe, data: bytes, what: str = "a request without the fault") -> Response:
    """This has to be served, or a refusal of what is wrong would say nothing."""
    response = probe.client.ask(data)
    served = response.status == 200 if probe.has_application else response.status not in (0, 400)
    if not served:
        raise Untestable(f"{what} is answered with {describe(response)}")
    return response


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


def serves_two(probe: Probe, data: bytes, second: bytes) -> bool:
    """Whether both are served, one after the other, on one connection."""
    with probe.client.connect() as connection:
        connection.send(data)
        first = connection.response()
        if not first.complete or first.closes or connection.ended:
            return False
        connection.send(second)
        return connection.response().status == first.status


def told(response: Response) -> str:
    """What a server does, behind "is"."""
    if not response.raw:
        return "dropped without an answer"
    return f"answered with {describe(response)}"


def seen(probe: Probe, data: bytes, what: str) -> Environ | None:
    """The environ in which the application saw a request, whose target has to be
    ``target("environ")``; None if it was refused with 400, or dropped."""
    response = send(probe, data, what)
    if not response.raw or response.status == 400:
        return None
    if response.status != 200:
        raise Broken(f"{what} is {told(response)}")
    environ = parse_environ(response)
    if environ is None:
        raise Broken(f"{what} does not reach the application as it was sent")
    return environ


def parse_environ(response: Response) -> Environ | None:
    """What the program ``environ`` answers; None if it is not what answered."""
    try:
        environ = json.loads(response.content)
    except ValueError:
        return None
    return environ if isinstance(environ, dict) else None


def text(environ: Environ, name: str) -> str | None:
    """The value of a variable, None if it is not there."""
    return environ[name][1] if name in environ else None


def post_chunk(probe: Probe, first_line: bytes, version: bytes = b"1.1") -> Response:
    """The answer of the program ``echo`` to the chunk "abc"."""
    line = b"POST %b HTTP/%b" % (probe.target("echo").encode(), version)
    head = request(probe, line, b"Transfer-Encoding: chunked")
    return probe.client.ask(head + first_line + b"\r\nabc\r\n0\r\n\r\n")
