"""How servers keep to Expect, Upgrade and TE (H093 to H102)."""

from quaich.conformance.probe.judging import Broken, Probe, Untestable, describe, trial
from quaich.conformance.probe.trials.asking import answer, behind, post
from quaich.conformance.probe.trials.refusing import SHORT, collect, need_content
from quaich.conformance.probe.wire import PATIENCE, QUIET, Response

_EXPECT = b"Expect: 100-continue"
_LENGTH = b"Content-Length: 5"


def _first_of_expecting(probe: Probe, expect: bytes, seconds: float = PATIENCE) -> Response:
    """What comes first of a request whose content is held back until something comes."""
    with probe.client.connect() as connection:
        connection.send(post(probe, probe.target("echo"), expect, _LENGTH))
        first = connection.response("POST", seconds, interim=True)
        if first.status == 100:
            connection.send(b"hello")
            last = connection.response("POST")
            if last.content != b"hello":
                raise Broken(f"behind 100 and the content comes {describe(last)}")
        return first


@trial("H093")
def expectations_in_any_case(probe: Probe) -> str | None:
    """``100-Continue`` is the same; other expectations are ignored or bring 417."""
    if not _first_of_expecting(probe, b"Expect: 100-Continue", 2.0):
        if not _first_of_expecting(probe, _EXPECT, 2.0):
            raise Untestable("100-continue is not answered at all: see H095")
        raise Broken("100-continue is understood, and 100-Continue is not")
    request = probe.client.head("GET", answer(probe, "hello"), b"Expect: x-probe")
    response = probe.client.ask(request)
    if response.status not in (200, 417):
        raise Broken(f"Expect: x-probe is answered with {describe(response)}, not 417 or 200")
    return f"another expectation is answered with {describe(response)}"


def _http_1_0(probe: Probe, target: str, *lines: bytes) -> tuple[bytes, Response]:
    """What comes for an HTTP/1.0 request before its content is sent, and the response."""
    with probe.client.connect() as connection:
        connection.send(post(probe, target, _LENGTH, *lines, version="1.0"))
        early = connection.read_until_quiet(QUIET)
        connection.unread(early)
        connection.send(b"hello")
        return early, connection.response("POST", interim=True)


@trial("H094")
def no_expectations_in_http_1_0(probe: Probe) -> str | None:
    """Expect has no effect in HTTP/1.0."""
    need_content(probe)
    _, response = _http_1_0(probe, probe.target("echo"), _EXPECT)
    if response.status != 200 or response.content != b"hello":
        raise Broken(f"HTTP/1.0 with Expect: 100-continue is answered with {describe(response)}")
    return None


@trial("H095")
def something_before_the_content(probe: Probe) -> str | None:
    """Something comes before the content that a client holds back."""
    first = _first_of_expecting(probe, _EXPECT)
    if not first:
        raise Broken("a client that waits for 100 (Continue) gets nothing")
    return f"answered with {describe(first)}"


@trial("H097")
def a_final_status_behind_100(probe: Probe) -> str | None:
    """A final status follows 100, though the application fails."""
    with probe.client.connect() as connection:
        target = probe.target("fail_behind_content")
        connection.send(post(probe, target, _EXPECT, _LENGTH))
        first = connection.response("POST", interim=True)
        if first.status != 100:
            raise Untestable(f"what comes first is {describe(first)}, not 100")
        connection.send(b"hello")
        last = connection.response("POST")
    if not last:
        raise Broken(f"behind 100 comes {describe(last)}: the application has failed")
    return f"100 is followed by {describe(last)}"


@trial("H098")
def what_becomes_of_the_content(probe: Probe) -> str | None:
    """A response before the content says close, or the content is read and dropped."""
    for lines in ((_EXPECT, _LENGTH), (_LENGTH,)):
        with probe.client.connect() as connection:
            connection.send(post(probe, probe.target("hello"), *lines))
            response = connection.response("POST", SHORT, interim=True)
            if not response or response.status == 100:
                continue  # it wants the content before it asks the application
            if response.closes:
                if connection.is_closed():
                    return "the response says close, and the connection closes"
                raise Broken("the response says close, and the connection stays open")
            if response.version == b"HTTP/1.0":
                return "the response is HTTP/1.0, and the connection closes"
            connection.send(b"hello" + behind(probe))
            came = collect(connection, 1)
            if not came.first:
                raise Broken(
                    "a response before the content does not say close, and the next request "
                    "is not answered"
                )
            if came.first.content != b"behind":
                raise Broken(
                    "a response before the content does not say close, and behind the content "
                    f"comes {describe(came.first)}"
                )
            return "the connection stays, and the content is read"
    raise Untestable("the server answers nothing before it has the content")


@trial("H099")
def no_interim_in_http_1_0(probe: Probe) -> str | None:
    """No 1xx comes to an HTTP/1.0 client."""
    for target, lines in (
        (probe.target("echo"), (_EXPECT,)),
        (probe.target("early_hints"), ()),
    ):
        early, response = _http_1_0(probe, target, *lines)
        if response.status // 100 == 1:
            raise Broken(f"an HTTP/1.0 client gets {describe(response)}")
        if not response:
            raise Broken(f"an HTTP/1.0 request is answered with {describe(response)} {early!r}")
    return None


_UPGRADES = (
    (
        b"Connection: Upgrade",
        b"Upgrade: websocket",
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        b"Sec-WebSocket-Version: 13",
    ),
    (
        b"Connection: Upgrade, HTTP2-Settings",
        b"Upgrade: h2c",
        b"HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA",
    ),
    (b"Connection: Upgrade", b"Upgrade: x-probe/1"),
)


@trial("H100")
def upgrades_may_be_ignored(probe: Probe) -> str | None:
    """HTTP/1.0 brings no 101; in HTTP/1.1, 100 comes before it."""
    target = answer(probe, "hello", headers=("Content-Length: 5",))
    for lines in _UPGRADES:
        upgrade = lines[1].decode()
        request = probe.client.head("GET", target, *lines, version="1.0")
        response = probe.client.ask(request)
        if not response or response.status == 101:
            raise Broken(f"HTTP/1.0 with {upgrade} is answered with {describe(response)}")
        with probe.client.connect() as connection:
            connection.send(post(probe, probe.target("echo"), *lines, _EXPECT, _LENGTH))
            first = connection.response("POST", SHORT, interim=True)
            if not first:  # which is H095's
                connection.send(b"hello")
                first = connection.response("POST", interim=True)
        if not first:
            raise Broken(f"{upgrade} with Expect: 100-continue is answered with {describe(first)}")
        if first.status == 101:
            raise Broken(f"{upgrade} with Expect: 100-continue brings 101 before 100")
    return None


@trial("H101")
def what_a_101_says(probe: Probe) -> str | None:
    """A 101 names a protocol that was asked for, and ``Connection: upgrade``."""
    switched = []
    target = answer(probe, "hello", headers=("Content-Length: 5",))
    for lines in _UPGRADES:
        wanted = lines[1].partition(b": ")[2].lower()
        request = probe.client.head("GET", target, *lines)
        response = probe.client.ask(request)
        if not response:
            raise Broken(f"{lines[1].decode()} is answered with {describe(response)}")
        if response.status != 101:
            continue
        named = b",".join(response.values("upgrade")).lower().replace(b" ", b"").split(b",")
        if wanted not in named:
            raise Broken(f"{lines[1].decode()} brings 101 with Upgrade {named!r}")
        options = b",".join(response.values("connection")).lower().replace(b" ", b"").split(b",")
        if b"upgrade" not in options:
            raise Broken(f"{lines[1].decode()} brings 101 with Connection {options!r}")
        switched.append(wanted.decode())
    return f"switches to {', '.join(switched)}" if switched else "Upgrade is ignored"


@trial("H102")
def no_coding_but_chunked(probe: Probe) -> str | None:
    """Without TE, a response has no coding but chunked, and no trailers."""
    targets = (
        answer(probe, "hello, ", "probe", kind="iterator"),
        answer(probe, "hello", headers=("Content-Length: 5",)),
    )
    for target in targets:
        response = probe.client.get(target, b"Accept-Encoding: gzip")
        if response.status != 200:
            raise Broken(f"the request is answered with {describe(response)}")
        codings = b",".join(response.values("transfer-encoding")).lower().replace(b" ", b"")
        if codings not in (b"", b"chunked"):
            raise Broken(f"a response has Transfer-Encoding {codings!r}, without TE in the request")
        if response.framing == "chunked":
            if not response.complete:
                raise Broken("a response in chunks does not end")
            if not response.raw.endswith(b"\r\n0\r\n\r\n"):
                raise Broken(f"behind the last chunk comes {response.raw[-60:]!r}")
    return None
