"""How trials ask: requests made of their octets, and what a server does with one.

request, get, post, word    heads and whole requests
answer                      a target whose answer is described in it
send                        one request on a fresh connection; falsy where the server drops it
answered                    the response to an ordinary request, which has to come
seen, environ_of            the environ of a request, as the application has it
"""

import json
from typing import Any, Final
from urllib.parse import quote

from quaich.conformance.probe.judging import Broken, Probe, describe
from quaich.conformance.probe.wire import Response

Environ = dict[str, list[Any]]
"""For each name the type, the value as text, and what else a program tells of it."""

CHUNKED: Final = b"Transfer-Encoding: chunked"
HELLO_CHUNKS: Final = b"5\r\nhello\r\n0\r\n\r\n"


# --- Requests -----------------------------------------------------------------------------------


def ordinary(probe: Probe) -> bytes:
    """A target that is served: of the application, if it is the probe's."""
    return probe.target("hello").encode() if probe.has_application else b"/"


def request(probe: Probe, line: bytes, *lines: bytes) -> bytes:
    """The head of a request line, with Host unless it is among the field lines."""
    return probe.client.head_of(line, *lines)


def get(probe: Probe, *lines: bytes) -> bytes:
    """The head of an ordinary GET with these field lines."""
    return request(probe, b"GET %b HTTP/1.1" % ordinary(probe), *lines)


def post(probe: Probe, target: str, *lines: bytes, version: str = "1.1") -> bytes:
    """The head of a POST request."""
    return probe.client.head("POST", target, *lines, version=version)


def echo(probe: Probe, chunks: bytes, version: str = "1.1") -> bytes:
    """A request in chunks, whose application gives back what it reads."""
    return post(probe, probe.target("echo"), CHUNKED, version=version) + chunks


def abc_chunk(probe: Probe, first_line: bytes, version: str = "1.1") -> bytes:
    """The same whose content is a chunk of "abc", which begins with that line."""
    return echo(probe, first_line + b"\r\nabc\r\n0\r\n\r\n", version)


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


# --- Responses ----------------------------------------------------------------------------------


def send(probe: Probe, data: bytes, what: str) -> Response:
    """What comes on a fresh connection; falsy, without a byte, where the server closes it."""
    with probe.client.connect() as connection:
        connection.send(data)
        response = connection.response()
        if not response and not connection.ended:
            came = f", but with {response.raw[:30]!r}" if response.raw else ""
            raise Broken(f"{what} is neither answered nor is the connection closed{came}")
    if not response.raw and not probe.is_alive():
        raise Broken(f"behind {what}, the server answers no more")
    return response


def told(response: Response) -> str:
    """What a server does, behind "is"."""
    if not response.raw:
        return "dropped without an answer"
    return f"answered with {describe(response)}"


def answered(probe: Probe, target: str, method: str = "GET", version: str = "1.1") -> Response:
    """The response to an ordinary request, which has to come."""
    response = probe.client.ask(probe.client.head(method, target, version=version), method)
    if not response:
        raise Broken(f"{method} {target} is answered with {describe(response)}")
    return response


def serves_two(probe: Probe, data: bytes, second: bytes) -> bool:
    """Whether both are served, one after the other, on one connection."""
    with probe.client.connect() as connection:
        connection.send(data)
        first = connection.response()
        if not first.complete or first.closes or connection.ended:
            return False
        connection.send(second)
        return connection.response().status == first.status


# --- The environ --------------------------------------------------------------------------------


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


def variables(probe: Probe, data: bytes | None = None, target: str = "") -> Environ:
    """The environ of a request whose target is ``target("variables")``, or of an ordinary one;
    with whether the process's environment has the same value."""
    probe.need_application()
    if data is None:
        data = probe.client.head("GET", target or probe.target("variables"))
    return environ_of(probe.client.ask(data))


def environ_of(response: Response) -> Environ:
    """What a program that shows the environ answers, which has to come."""
    if response.status != 200:
        raise Broken(f"the request is answered with {describe(response)}")
    environ = parse_environ(response)
    if environ is None:
        raise Broken(
            f"the request is answered with {describe(response)}, and the content is "
            f"{response.content[:40]!r}, not what the application gives"
        )
    return environ


def parse_environ(response: Response) -> Environ | None:
    """The same; None if it is not such a program that answered."""
    try:
        environ = json.loads(response.content)
    except ValueError:
        return None
    return environ if isinstance(environ, dict) else None


def text(environ: Environ, name: str) -> str | None:
    """The value of a variable, None if it is not there."""
    return environ[name][1] if name in environ else None


def text_of(environ: Environ, name: str) -> str:
    """The same, empty if it is not there."""
    return text(environ, name) or ""
