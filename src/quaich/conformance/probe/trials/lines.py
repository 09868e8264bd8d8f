"""Octets and lines: H001 to H012."""

from typing import Final

from quaich.conformance.probe.judging import Broken, Probe, Untestable, describe, trial
from quaich.conformance.probe.trials.asking import (
    Environ,
    get,
    ordinary,
    parse_environ,
    request,
    seen,
    send,
    serves_two,
    text,
    told,
)
from quaich.conformance.probe.trials.refusing import control, refuse_each
from quaich.conformance.probe.wire import QUIET, Response

_LETTER: Final = b"\xe9"  # an octet from 0x80 on that is no space in any character set
_SPACES: Final = (b"\x85", b"\xa0")  # line end and space, but in Unicode only


@trial("H001")
def octets_that_are_spaces_in_unicode_only(probe: Probe) -> str | None:
    """0x85 and 0xA0 do not end a line, a word or a value."""
    target = probe.target("environ").encode()

    def note(octet: bytes) -> bytes:
        first = b"GET %b HTTP/1.1" % target
        return request(probe, first, b"X-Note: one%bX-Made: two" % octet)

    def line(octet: bytes) -> bytes:
        return request(probe, b"GET %b&x=a%bb HTTP/1.1" % (target, octet))

    asked = 0
    # A server may refuse, or lose, all octets from 0x80 on: H050 and H034 say what of that. Here
    # these two have to fare like any other.
    like = seen(probe, note(_LETTER), "an octet 0xE9 in a field value")
    if like is not None:
        asked += 1
        for octet in _SPACES:
            what = f"an octet 0x{octet.hex().upper()} in a field value"
            environ = seen(probe, note(octet), what)
            if environ is None:
                raise Broken(f"{what} is refused, and 0xE9 there is not")
            if "HTTP_X_MADE" in environ:
                raise Broken(f"{what} ends the line: what is behind it became HTTP_X_MADE")
            _must_be_like(environ, like, "HTTP_X_NOTE", octet, what)
    like = seen(probe, line(_LETTER), "an octet 0xE9 in the target")
    if like is not None:
        asked += 1
        for octet in _SPACES:
            what = f"an octet 0x{octet.hex().upper()} in the target"
            response = send(probe, line(octet), what)
            environ = parse_environ(response)
            if response.status != 200 or environ is None:
                raise Broken(f"{what} is {told(response)}, and 0xE9 there is served")
            _must_be_like(environ, like, "QUERY_STRING", octet, what)
    if not asked:
        raise Untestable("all octets from 0x80 on are refused")
    return None


def _must_be_like(environ: Environ, like: Environ, name: str, octet: bytes, what: str) -> None:
    """A variable must have become what it became with 0xE9."""
    wanted = text(like, name) or ""
    for spelling, other in (("\xe9", octet.decode("latin-1")), ("%E9", f"%{octet.hex().upper()}")):
        wanted = wanted.replace(spelling, other)  # a query may come escaped
    got = text(environ, name) or ""
    if got.upper() != wanted.upper():
        raise Broken(f"with {what}, {name} is {got!r}, not {wanted!r}")


@trial("H002")
def lines_that_end_otherwise(probe: Probe) -> str | None:
    """CR alone, or LF and CR the wrong way round, does not end a line."""
    control(probe, get(probe))
    lines = [b"GET %b HTTP/1.1" % ordinary(probe), b"Host: " + probe.client.authority, b"", b""]
    # Each head has an end for those too who read the ends of its lines as CR LF, or as LF.
    cases = [
        ("a head whose lines end with CR", b"\r".join(lines) + b"\r\n\r\n"),
        ("a head whose lines end with LF CR", b"\n\r".join(lines) + b"\r\n\r\n"),
    ]
    return refuse_each(probe, cases, 400)


@trial("H003")
def lines_that_end_with_lf(probe: Probe) -> str | None:
    """A bare LF may end a line, or be refused."""
    data = get(probe)
    control(probe, data)
    with probe.client.connect() as connection:
        connection.send(data.replace(b"\r\n", b"\n"))
        response = connection.response(seconds=3 * QUIET)
        if not response.raw and not connection.ended:
            # One who takes CR LF only still waits for the end of the first line.
            connection.send(b"\r\n\r\n")
            response = connection.response()
            if not response and not connection.ended:
                raise Broken("lines that end with LF are neither taken nor refused")
    if not response.raw:
        return "a bare LF is refused: the connection closes"
    if response.status >= 500 or not response:
        raise Broken(f"a request whose lines end with LF is {told(response)}")
    how = "refused" if response.status == 400 else "taken for the end of a line"
    return f"a bare LF is {how}: {describe(response)}"


@trial("H004")
def cr_within_a_line(probe: Probe) -> str | None:
    """A bare CR is refused, or is a space; it ends no line."""
    target = probe.target("environ").encode()
    first = b"GET %b HTTP/1.1" % target
    control(probe, request(probe, first, b"X-Note: one"))
    cases = [
        ("a field value", request(probe, first, b"X-Note: one\rX-Made: two")),
        ("a field name", request(probe, first, b"X-No\rX-Made: two")),
        ("a request line", request(probe, first + b"\rX-Made: two")),
        ("a target", request(probe, b"GET %b\rX-Made:two HTTP/1.1" % target)),
    ]
    wrong = []
    for where, data in cases:
        environ = seen(probe, data, f"a CR in {where}")
        if environ is None:
            continue
        note = text(environ, "HTTP_X_NOTE")
        if "HTTP_X_MADE" in environ:
            wrong.append(f"a CR in {where} ends the line: what is behind it became HTTP_X_MADE")
        elif where != "a field value":
            wrong.append(f"a CR in {where} is served")
        elif note != "one X-Made: two":
            wrong.append(f"with a CR in {where}, HTTP_X_NOTE is {note!r}")
    if wrong:
        raise Broken("; ".join(wrong))
    return None


@trial("H005")
def empty_line_in_front(probe: Probe) -> str | None:
    """One CR LF in front of a request line is ignored."""
    data = get(probe)
    normal = control(probe, data)
    first = send(probe, b"\r\n" + data, "an empty line in front of the first request")
    if first.status != normal.status:
        raise Broken(f"a request with an empty line in front is {told(first)}")
    if not serves_two(probe, data, data):
        return "ignored in front of a connection's first request; there is no second"
    if not serves_two(probe, data, b"\r\n" + data):
        raise Broken("behind another request, one with an empty line in front is not served")
    return "ignored in front of a connection's first request and of the second"


@trial("H006")
def white_space_before_the_first_field(probe: Probe) -> str | None:
    """A line in front of the first field that begins with white space is refused or dropped."""
    first = b"GET %b HTTP/1.1" % probe.target("environ").encode()
    control(probe, request(probe, first))
    host = b"Host: " + probe.client.authority
    came = []
    for name, space in (("a space", b" "), ("a tab", b"\t")):
        what = f"a first field line that begins with {name}"
        environ = seen(probe, request(probe, first, space + b"X-Note: spaced", host), what)
        if environ is None:
            came.append(f"{name}: refused")
            continue
        for key, (_, value) in environ.items():
            if "spaced" in value:
                raise Broken(f"{what} is not dropped: {key} is {value!r}")
        came.append(f"{name}: the line is dropped")
    return ", ".join(came)


@trial("H007")
def octets_that_are_no_request(probe: Probe) -> str | None:
    """They are answered with 400, and the connection closes."""
    cases = [
        ("HELLO WORLD", b"HELLO WORLD\r\n\r\n"),
        ("a line of six words", b"one two three four five six\r\n\r\n"),
        ("a line of octets that are no text", b"\x80\x81\xfe\x01 \xff\r\n\r\n"),
    ]
    wrong = []
    for what, data in cases:
        with probe.client.connect() as connection:
            connection.send(data)
            response = connection.response()
            if response.status != 400:
                if not response.raw and not connection.ended:
                    raise Broken(f"{what} is not answered, and the connection stays open")
                wrong.append(f"{what} is {told(response)}, not 400")
            elif not connection.is_closed():
                raise Broken(f"the connection stays open after the answer to {what}")
    if wrong:
        raise Broken("; ".join(wrong))
    return None


@trial("H008")
def octets_behind_a_body(probe: Probe) -> str | None:
    """What stands between a body and the next request line is not skipped."""
    echo = probe.target("echo").encode()
    post = request(probe, b"POST %b HTTP/1.1" % echo, b"Content-Length: 3") + b"abc"
    after = get(probe)
    if not _serves_both(probe, post + after):
        raise Untestable("two requests that are sent at once are not both served on one connection")
    before = _calls(probe)
    for what, junk in (
        ("'def' and CR LF", b"def\r\n"),
        ("'two words' and CR LF", b"two words\r\n"),
    ):
        first, second = _two_responses(probe, post + junk + after)
        if first.status == 200 and first.content != b"abc":
            raise Broken(f"with {what} behind it, the body b'abc' is read as {first.content!r}")
        if second.status not in (0, 400) or (second.raw and not second):
            raise Broken(f"{what} behind a body: the next request is {told(second)}")
    if _calls(probe) > before:
        raise Broken("the request behind octets that belong to none was passed to the application")
    return None


def _two_responses(probe: Probe, data: bytes) -> tuple[Response, Response]:
    with probe.client.connect() as connection:
        connection.send(data)
        return connection.response(), connection.response()


def _serves_both(probe: Probe, data: bytes) -> bool:
    first, second = _two_responses(probe, data)
    return first.content == b"abc" and second.status == 200


@trial("H009")
def head_without_its_end(probe: Probe) -> str | None:
    """Without the empty line, nothing is done, not at the end of the stream either."""
    data = get(probe, b"X-Note: one")
    control(probe, data)
    before = _calls(probe)
    cases = [
        ("whose last field line has come", data[:-2]),
        ("that breaks off within a field line", data[:-6]),
    ]
    for what, part in cases:
        with probe.client.connect() as connection:
            connection.send(part)
            early = connection.read_until_quiet()
            if early.startswith(b"HTTP/") and not early.partition(b" ")[2].startswith(b"4"):
                raise Broken(f"a head {what} is answered before its end: {early[:40]!r}")
            connection.finish()
            late = early or connection.read_until_quiet(2 * QUIET)
        if late.partition(b" ")[2].startswith((b"2", b"3")):
            raise Broken(f"at the end of the stream, a head {what} is served: {late[:40]!r}")
    if probe.has_application and _calls(probe) > before:
        raise Broken("a request whose head has no end was passed to the application")
    return None


def _calls(probe: Probe) -> int:
    """How often the application was called with the trial's tag."""
    if not probe.has_application:
        return 0
    return sum(each["event"] == "called" for each in probe.log())


@trial("H010")
def half_a_request(probe: Probe) -> str | None:
    """Of a request that stays incomplete, an error may come, and nothing else."""
    with probe.client.connect() as connection:
        connection.send(get(probe)[:-2])
        data = connection.read_all(2 * QUIET)
        when = "at once"
        if not data and not connection.ended:
            connection.finish()
            data, when = connection.read_all(2 * QUIET), "at the end of the stream"
        closed = connection.ended
    if not data:
        return f"{when}, {'the connection closes' if closed else 'nothing'}"
    line = data.split(b"\r\n")[0].decode("latin-1")
    if not data.startswith(b"HTTP/") or data.partition(b" ")[2][:1] not in (b"4", b"5"):
        raise Broken(f"half a request is answered {when}: {line!r}")
    return f"{when}, the answer is {line}"


# A ClientHello of TLS 1.2 that offers two ciphers; no octet of it is CR or LF.
_CLIENT_HELLO: Final = (
    b"\x16\x03\x01\x00\x2f\x01\x00\x00\x2b\x03\x03" + bytes(range(0x20, 0x40)) + b"\x00"
    b"\x00\x04\x13\x01\x00\x2f\x01\x00"
)


@trial("H011")
def tls_on_a_plain_port(probe: Probe) -> str | None:
    """A handshake of TLS is answered with 400, or the connection closes."""
    response = send(probe, _CLIENT_HELLO, "a TLS handshake")
    if not response:
        return "the connection closes"  # perhaps behind an alert of TLS
    if response.status // 100 != 4:
        raise Broken(f"a TLS handshake is {told(response)}, not 400")
    return told(response)


@trial("H012")
def preface_of_http2(probe: Probe) -> str | None:
    """The preface of HTTP/2 is answered with 505, unless the server speaks it."""
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"
    with probe.client.connect() as connection:
        connection.send(preface)
        start = connection.read_some()
        # A frame of SETTINGS: three octets of length, the type 4, flags and the stream 0.
        if start[3:4] == b"\4" and start[5:9] == bytes(4):
            return "the server speaks HTTP/2"
        connection.unread(start)
        response = connection.response()
        if response.status != 505:
            raise Broken(f"the preface of HTTP/2 is answered with {describe(response)}, not 505")
        if not response.version.startswith(b"HTTP/1."):
            raise Broken(f"the 505 to the preface of HTTP/2 says {response.version!r}")
        if not connection.is_closed():
            raise Broken("the connection stays open after the preface of HTTP/2")
    return None
