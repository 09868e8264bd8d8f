"""The streams wsgi.input and wsgi.errors, and content that the server asks for or decodes: S40 to
S42, S49 to S58, S92 to S96."""

import io
import json
from collections.abc import Callable
from typing import Any, Final

from quaich.conformance.probe.judging import Broken, Probe, Untestable, describe, trial
from quaich.conformance.probe.trials.asking import variables
from quaich.conformance.probe.trials.steps import calls, must_be, shorten
from quaich.conformance.probe.wire import PATIENCE, Connection, Response

_CONTENT: Final = b"one cup\ntwo cups\r\n\nno end\rof line"
Call = tuple[Any, ...]
"""The name of a method and its arguments."""

_ITERATING: Final[dict[str, Callable[[Any], Any]]] = {
    "iter": list,
    "next": lambda file: next(iter(file)),
}
_SECONDS: Final = 2.0  # that an answer may take; a stream that waits for more gives none


@trial("S40")
def the_input(probe: Probe) -> str | None:
    """Content of a length is read; without content the stream is there too."""
    if "wsgi.input" not in variables(probe):
        raise Broken("a request without content has no wsgi.input")
    got = _read(probe, ("read", len(_CONTENT)))[0]
    if got != ["bytes", _CONTENT.decode()]:
        raise Broken(f"read({len(_CONTENT)}) of that much content returns {_shown(got)}")
    return None


@trial("S49")
def methods_of_the_input(probe: Probe) -> str | None:
    """Each method is called; what it returns is a matter of S51."""
    for call in (("read", 5), ("readline",), ("readlines", 5), ("next",)):
        got = _read(probe, call)[0]
        if got[0] == "raised":
            raise Broken(f"{_called(call)} raised {got[1]}")
    return None


@trial("S51")
def methods_do_what_those_of_files_do(probe: Probe) -> str | None:
    """Calls of all kinds, compared with an io.BytesIO."""
    content = b"one cup\ntwo cups\r\n\nno end\rof line\n"
    size = len(content)
    within: tuple[tuple[Call, ...], ...] = (
        (("readline",), ("readline",), ("readline",), ("readline",)),
        (("read", 3), ("read", 0), ("read", size - 3)),
        (("readline",), ("read", 4), ("readline",), ("read", size - 18)),
        (("readline", -1), ("readline", 3), ("readline", 100)),
        (("next",), ("next",), ("read", 2)),
    )
    for each in within:
        _compare(probe, each, content)
    to_the_end: tuple[tuple[Call, ...], ...] = (
        (("read", -1),),
        (("readlines", -1), ("readline",)),
        (("read", 2), ("iter",), ("read", 1)),
        (("read", 5), ("readlines",)),
    )
    # The hint may be ignored (S56), so that only the lines together can be compared.
    # What follows goes to the end of the content; a stream that waits there breaks S52.
    try:
        got = _read(probe, ("readlines", 3), ("readlines",), content=content)
        lines = [line for part in got if isinstance(part[1], list) for line in part[1]]
        if lines != _expected((("readlines",),), content)[0][1]:
            raise Broken(f"readlines(3) and readlines() return {shorten(got)}")
        for each in to_the_end:
            _compare(probe, each, content)
    except Unanswered as error:
        return f"but there is no answer to {error}"
    return None


@trial("S52")
def the_input_ends_with_the_content(probe: Probe) -> str | None:
    """More is asked for than there is, and the connection stays open."""
    for each in (
        (("read", 1000),),
        (("read", len(_CONTENT)), ("read", 1)),
        (("read", 6), ("read", 50)),
    ):
        _compare(probe, each)
    return None


@trial("S53")
def read_without_a_size(probe: Probe) -> str | None:
    """read() at the beginning and after a part."""
    for each in ((("read",),), (("read", 5), ("read",)), (("readline",), ("read",))):
        _compare(probe, each)
    return None


@trial("S54")
def nothing_at_the_end(probe: Probe) -> str | None:
    """Reads without content, and behind its end."""
    ends: tuple[tuple[Any, ...], ...] = (("read", 1), ("read",), ("readline",), ("readlines",))
    _compare(probe, ends, b"", "GET")
    _compare(probe, ends, b"")
    _compare(probe, (("read", len(_CONTENT)), *ends, *ends))
    return None


@trial("S55")
def readline_with_a_size(probe: Probe) -> str | None:
    """Lines that are longer and shorter than the size."""
    _compare(probe, (("readline", 3), ("readline", 2), ("readline", 100), ("readline", 100)))
    return None


@trial("S58")
def what_is_read_is_bytes(probe: Probe) -> str | None:
    """The exact type of what each method returns."""
    for call in (("read", 5), ("readline",), ("readlines", 5), ("next",), ("read", 0)):
        kind, value = _read(probe, call)[0]
        kinds = {each[0] for each in value} if isinstance(value, list) else {kind}
        if kind != "raised" and kinds - {"bytes"}:
            raise Broken(f"{_called(call)} returns {', '.join(sorted(kinds))}")
    return None


# --- wsgi.errors ------------------------------------------------------------------------------


@trial("S41")
def the_errors_take_text(probe: Probe) -> str | None:
    """Text with ends of lines."""
    _write(probe, ("write", "the probe writes\nthree\nlines\n"))
    return None


@trial("S42")
def the_errors_take_any_text(probe: Probe) -> str | None:
    """Letters of all kinds, emoji, and a lone surrogate."""
    for text in ("caf\xe9", "\u20ac \u6f22", "\U0001f943", "\ud800"):
        _write(probe, ("write", f"the probe writes {text}\n"), ("flush",))
    return None


@trial("S50")
def methods_of_the_errors(probe: Probe) -> str | None:
    """Each method is called."""
    for call in (
        ("write", "the probe writes\n"),
        ("writelines", ["the probe writes\n", "lines\n"]),
        ("writelines", ("the probe writes\n",)),
        ("flush",),
    ):
        _write(probe, call)
    return None


def _write(probe: Probe, *each: Call) -> None:
    response = probe.client.get(calls(probe, *each, file="wsgi.errors"))
    if response.status != 200:
        raise Broken(f"a request that writes to wsgi.errors is answered with {describe(response)}")
    for call, (kind, text) in zip(each, json.loads(response.content), strict=True):
        if kind == "raised":
            raise Broken(f"{_called(call)} of wsgi.errors raised {text}")


# --- Content ----------------------------------------------------------------------------------


@trial("S92")
def expectations_are_met(probe: Probe) -> str | None:
    """The body is held back until the server asks for it."""
    with probe.client.connect() as connection:
        interim = _expect(probe, connection)
        if interim.status == 100:
            connection.send(b"cups!")
            must_be(connection.response("POST"), b"cups!", "content that was sent after 100")
            return None
        if interim.status:
            raise Broken(f"Expect: 100-continue is answered with {describe(interim)}")
        connection.send(b"cups!")
        response = connection.response("POST")
    if response.version == b"HTTP/1.0":
        raise Untestable("the server answers in HTTP/1.0, which has no 100 (Continue)")
    raise Broken("the application reads, and no 100 (Continue) is sent; the client would wait on")


@trial("S93")
def the_read_waits_for_the_body(probe: Probe) -> str | None:
    """The body comes half a second after 100 (Continue)."""
    with probe.client.connect() as connection:
        interim = _expect(probe, connection)
        if interim.status != 100:
            raise Untestable("the server sends no 100 (Continue): see S92")
        early = connection.read_some(0.5)
        if early:
            raise Broken(f"before the body has been sent, the answer is {shorten(early[:100])}")
        connection.send(b"cups!")
        must_be(connection.response("POST"), b"cups!", "content that was sent late")
    return None


@trial("S94")
def no_100_in_http_1_0(probe: Probe) -> str | None:
    """A client in HTTP/1.0 sends the field together with the body."""
    lines = (b"Expect: 100-continue", b"Content-Length: 5")
    request = probe.client.head("POST", probe.target("echo"), *lines, version="1.0")
    with probe.client.connect() as connection:
        connection.send(request + b"cups!")
        response = connection.response("POST", interim=True)
    if response.status // 100 == 1:
        raise Broken(f"a request of HTTP/1.0 is answered with {describe(response)}")
    if not response:
        raise Broken("a request of HTTP/1.0 with Expect: 100-continue is not answered")
    return f"answered with {describe(response)}"


@trial("S96")
def chunks_are_decoded(probe: Probe) -> str | None:
    """Content in chunks, of several sizes and with an extension."""
    request = probe.client.head("POST", probe.target("echo"), b"Transfer-Encoding: chunked")
    control = probe.client.post(probe.target("echo"), b"name=quaich")
    must_be(control, b"name=quaich", "content with a Content-Length")
    chunks = b"5\r\nname=\r\n1;x=y\r\nq\r\n5\r\nuaich\r\n0\r\n\r\n"
    response = probe.client.ask(request + chunks, "POST", 2.0)
    if response.status == 411:
        return "refused with 411 (Length Required)"
    if not response:
        raise Broken("content in chunks: no answer; the application waits in read()")
    if response.status != 200:
        raise Broken(f"content in chunks is answered with {describe(response)}")
    must_be(response, b"name=quaich", "content in chunks")
    return None


def _expect(probe: Probe, connection: Connection) -> Response:
    """Send a head with an expectation: the first response of any kind."""
    lines = (b"Expect: 100-continue", b"Content-Length: 5", b"Connection: close")
    connection.send(probe.client.head("POST", probe.target("echo"), *lines))
    return connection.response("POST", PATIENCE / 2, interim=True)


# --- Reading ----------------------------------------------------------------------------------


class Unanswered(Broken):
    """There was no answer in time."""


def _read(probe: Probe, *each: Call, content: bytes = _CONTENT, method: str = "POST") -> list[Any]:
    """What calls of the input's methods return, for a request whose connection stays open."""
    lines = () if method == "GET" else (b"Content-Length: %d" % len(content),)
    data = probe.client.head(method, calls(probe, *each), *lines) + content
    response = probe.client.ask(data, method, _SECONDS)
    what = f"{', '.join(map(_called, each))} with {len(content)} bytes of content"
    if not response:
        if response.raw:
            raise Broken(f"{what}: the answer is no response")
        raise Unanswered(f"{what}: the stream seems to wait for more")
    if response.status != 200:
        raise Broken(f"{what}: the request is answered with {describe(response)}")
    return list(json.loads(response.content))


def _expected(each: tuple[Call, ...], content: bytes = _CONTENT) -> list[Any]:
    """What an io.BytesIO returns."""
    file = io.BytesIO(content)
    outcomes = []
    for name, *arguments in each:
        value = _ITERATING[name](file) if name in _ITERATING else getattr(file, name)(*arguments)
        if isinstance(value, list):
            outcomes.append(["list", [["bytes", line.decode()] for line in value]])
        else:
            outcomes.append(["bytes", value.decode()])
    return outcomes


def _compare(
    probe: Probe,
    each: tuple[Call, ...],
    content: bytes = _CONTENT,
    method: str = "POST",
) -> None:
    """Every call must return what it returns of a file; the types are a matter of S58."""
    got = _read(probe, *each, content=content, method=method)
    before: list[str] = []
    for call, came, wanted in zip(each, got, _expected(each, content), strict=True):
        if _plain(came) != _plain(wanted):
            behind = f" (behind {', '.join(before)})" if before else ""
            raise Broken(f"{_called(call)}{behind} returns {_shown(came)}, not {_shown(wanted)}")
        before.append(_called(call))


def _plain(outcome: list[Any]) -> Any:
    kind, value = outcome
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return ("raised", value) if kind == "raised" else value


def _called(call: Call) -> str:
    name, *arguments = call
    if name in _ITERATING:
        return f"{name}()" if name == "next" else "iteration"
    return f"{name}({', '.join(map(ascii, arguments))})"


def _shown(outcome: list[Any]) -> str:
    kind, value = outcome
    if kind == "raised":
        return f"nothing and raises {value}"
    if isinstance(value, list):
        return shorten([each[1] for each in value])
    return shorten(value)
