"""Trials of lines, request lines, targets and fields: each sees a server that breaks its rule."""

import re
from collections.abc import Iterator

import pytest

from conformance.relay import HONEST, Relay, answered, asked, status, sub, verdict, wanted
from quaich import Server
from quaich.conformance.probe import application
from quaich.conformance.probe.judging import TRIALS
from quaich.conformance.probe.trials import fields, lines, request_line, targets

MODULES = (lines, request_line, targets, fields)
RULES = [f"H{number:03}" for number in range(1, 60)]


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Quaich's server with the probe's application."""
    with Server(application.application, bind="127.0.0.1:0", graceful_timeout=0.5) as server:
        yield server.port


# Until Quaich's server refuses it by itself: what is refused anyway.
REFUSES_HTTPS = asked(rb"^GET https:", b"GET https :")
CR_ENDS_LINES = asked(rb"\r(?!\n)", b"\r\n")
ENDS_HEADS = asked(rb"(?<!\r\n\r\n)\Z", b"\r\n\r\n")


def escaped(data: bytes) -> bytes:
    """Octets from 0x80 on in the query, as a lenient server may take them."""
    return re.sub(rb"(?<=x=a)[\x80-\xff]", lambda octet: b"%%%02X" % octet[0][0], data)


def lf_cr_ends_lines(data: bytes) -> bytes:
    """Taken for CR LF, if the first line ends so."""
    return data.replace(b"\n\r", b"\r\n") if re.match(rb"[^\r\n]*\n\r", data) else data


BREAKS = [
    ("H001", "a line ends at 0x85", asked(rb"\x85", b"\r\n")),
    ("H001", "0xA0 is a space", asked(rb"\xa0", b" ")),
    ("H001", "0xA0 in the target is lost", Relay(lambda data: escaped(data).replace(b"%A0", b""))),
    ("H002", "CR ends lines", CR_ENDS_LINES),
    ("H002", "LF CR ends lines", Relay(lf_cr_ends_lines)),
    ("H003", "LF is answered with 500", status(400, 500)),
    ("H004", "CR ends lines", CR_ENDS_LINES),
    ("H004", "CR is lost", asked(rb"\r(?!\n)", b"")),
    ("H005", "an empty line is no request", asked(rb"^\r\n", b"?\r\n")),
    ("H005", "but on the first connection", asked(rb"^\r\nGET /hello\?tag=\S+", b"?")),
    ("H006", "white space in front is lost", asked(rb"\r\n[ \t]+", b"\r\n")),
    (
        "H006",
        "the line becomes part of another",
        asked(rb" HTTP/1.1\r\n[ \t]X-Note: (\w+)", rb"&\1 HTTP/1.1"),
    ),
    ("H007", "garbage is answered with 200", status(400, 200)),
    ("H008", "what is behind a body is skipped", asked(rb"def\r\n", b"")),
    ("H009", "half a head is served", ENDS_HEADS),
    ("H010", "half a head is served", ENDS_HEADS),
    ("H011", "a handshake is served", asked(rb"^\x16.*", b"GET / HTTP/1.0\r\n\r\n")),
    ("H012", "the preface is answered with 400", status(505, 400)),
    ("H012", "the preface is served", asked(rb"^PRI \*.*", b"GET / HTTP/1.0\r\n\r\n")),
    ("H013", "a fourth part is lost", asked(rb" more\r\n", b"\r\n")),
    ("H014", "two spaces are answered with 500", status(400, 500)),
    ("H014", "two spaces are part of the target", asked(rb"GET  /", b"GET /%20/")),
    ("H015", "a space is lost", asked(rb"a b", b"ab")),
    ("H016", "no token is a method", asked(rb"^G@T", b"GET")),
    ("H016", "small letters are capitals", asked(rb"^get", b"GET")),
    ("H017", "a long method is answered with 414", status(501, 414)),
    ("H018", "BREW is answered with 400", asked(rb"^BREW", b"BR EW")),
    ("H018", "BREW becomes GET", asked(rb"^BREW", b"GET")),
    ("H019", "a long target is answered with 431", status(414, 431)),
    ("H019", "a long target is cut", asked(rb"x{9000,}", b"x")),
    ("H020", "the limit is lower", asked(rb"x{7000,}", b"x" * 20_000)),
    ("H021", "the version in small letters", asked(rb"http/1.1", b"HTTP/1.1")),
    ("H021", "a version of two digits", asked(rb"HTTP/1.10", b"HTTP/1.1")),
    ("H022", "HTTP/1.2 is refused", asked(rb"HTTP/1\.2", b"HTTP/2.2")),
    ("H022", "HTTP/1.2 does not persist", asked(rb"HTTP/1\.2", b"HTTP/1.0")),
    ("H022", "HTTP/1.2 has no chunks", asked(rb"(POST \S+ HTTP)/1\.2", rb"\1/1.0")),
    ("H023", "HTTP/2.0 is answered with 400", status(505, 400)),
    ("H023", "HTTP/2.0 is served", asked(rb"HTTP/2.0", b"HTTP/1.1")),
    ("H024", "no status line", answered(rb"^HTTP/1.1 400.*?\r\n\r\n", b"")),
    ("H025", "a slash is put in front", asked(rb"^GET hello", b"GET /hello")),
    ("H026", "the fragment is cut off", asked(rb"#part", b"")),
    ("H027", "a URI is a path", asked(rb"^GET http:", b"GET /http:")),
    ("H027", "a URI is refused", asked(rb"^GET (?i:http):", b"GET htt p:")),
    ("H027", "capitals are refused", asked(rb"^GET HTTP:", b"GET HTT P:")),
    ("H028", "Host is believed", asked(rb"^GET http://[^/]*", b"GET ")),
    ("H029", "the path is empty", asked(rb"^GET http://[^/?]*\?", b"GET /%20?")),
    ("H029", "OPTIONS is for the path", asked(rb"^OPTIONS http://\S+", b"OPTIONS /")),
    ("H030", "the user is lost", asked(rb"//[^/]*@", b"//")),
    ("H031", "CONNECT is granted", asked(rb"^CONNECT \S+", b"GET /")),
    ("H032", "CONNECT with a path is served", asked(rb"^CONNECT /", b"GET /")),
    ("H032", "GET with host and port is served", asked(rb"^GET (\w)", rb"GET /\1")),
    ("H033", "GET * is served", asked(rb"^GET \*", b"GET /*")),
    ("H033", "OPTIONS * is refused", asked(rb"^OPTIONS \*", b"OPTIONS **")),
    ("H034", "a backslash is a slash", asked(rb"\\", b"/")),
    ("H034", "0xE9 is escaped", asked(rb"\xe9", b"%E9")),
    ("H035", "%zz is lost", asked(rb"%zz", b"")),
    ("H036", "the port of Host is lost", asked(rb"Host: other(\S+):\d+", rb"Host: other\1")),
    ("H037", "https is served", asked(rb"https://", b"http://")),
    ("H038", "a Host is put in", asked(rb" HTTP/1.1\r\nAccept", b" HTTP/1.1\r\nHost: x\r\nAccept")),
    ("H039", "a second Host is lost", asked(rb"(Accept: \S+)\r\nHost: [^\r]*", rb"\1")),
    ("H039", "but for host", asked(rb"\r\nhost: [^\r]*", b"")),
    ("H040", "a port that is none is cut", asked(rb":80x", b":80")),
    ("H040", "a user in Host is lost", asked(rb"user@", b"")),
    ("H041", "an empty Host is answered with 500", status(200, 500)),
    ("H042", "no Host is answered with 500", status(200, 500)),
    ("H043", "a line without a colon is lost", asked(rb"\r\nX-Note one", b"")),
    ("H044", "no token is a name", asked(rb"X\(Note", b"X-Note")),
    ("H044", "a line without a name is lost", asked(rb"\r\n: one", b"")),
    ("H044", "0xA0 is taken off", asked(rb"X-Note\xa0", b"X-Note")),
    ("H045", "a space is taken off", asked(rb"X-Note : ", b"X-Note: ")),
    ("H045", "but for Content-Length", asked(rb"Content-Length : ", b"Content-Length: ")),
    ("H045", "with 404", status(400, 404)),
    ("H046", "0xA0 is taken off", asked(rb"\xa0", b"")),
    ("H046", "a vertical tab is taken off", asked(rb"\x0b", b"")),
    ("H047", "a folded line is a line", asked(rb"\r\n[ \t]+", b"\r\n")),
    ("H047", "a folded line is joined without a space", asked(rb"\r\n[ \t]+", b"")),
    ("H048", "NUL is lost", asked(rb"\0", b"")),
    ("H048", "CR is lost", asked(rb"\r(?=two)", b"")),
    ("H049", "0x1C ends lines", asked(rb"\x1c", b"\r\n")),
    ("H050", "0xE9 is replaced", asked(rb"\xe9", b"?")),
    ("H050", "0xE9 is refused", asked(rb"\xe9", b"\0")),
    ("H051", "large fields are answered with 500", status(431, 500)),
    ("H051", "a field is left out", asked(rb"X-N1: 1\r\n", b"")),
    ("H051", "a field is cut", asked(rb"x{3990,}", b"x")),
    ("H052", "the last line wins", asked(rb"Accept: text/html\r\n", b"")),
    ("H052", "no comma", asked(rb"\r\nAccept: text/plain", b"text/plain")),
    ("H053", "Cookie is joined with a comma", asked(rb"\r\nCookie: b", b", b")),
    ("H053", "the last Cookie wins", asked(rb"\r\nCookie: a=1\r\nCookie", b"\r\nCookie")),
    ("H053", "Content-Type is joined", asked(rb"\r\nContent-Type: text/plain", b", text/plain")),
    ("H054", "an empty member makes it no close", asked(rb": , close", b": , clo")),
    ("H054", "an empty member is refused", asked(rb": , close", b" : close")),
    ("H055", "white space is refused", asked(rb"\r\n3 ;", b"\r\nx;")),
    ("H056", "a backslash is nothing", asked(rb'\\"', b'"')),
    ("H057", "an underscore is a hyphen", asked(rb"X_User", b"X-User")),
    ("H057", "both are lost", asked(rb"X.User: \w+\r\n", b"")),
    ("H058", "a field is lost", asked(rb"X-Colour: \w+\r\n", b"")),
    ("H058", "an odd name is refused", asked(rb"X!#", b"X!(")),
    (
        "H059",
        "Proxy becomes HTTP_PROXY",
        Relay(sub(rb"(?i:proxy): ", b"Pr0xy: "), sub(rb"HTTP_PR0XY", b"HTTP_PROXY")),
    ),
]


def test_all_rules_have_a_trial() -> None:
    """Each of H001 to H059, in the modules of this test."""
    names = {module.__name__ for module in MODULES}
    assert sorted(rule for rule, each in TRIALS.items() if each.__module__ in names) == RULES
    assert {rule for rule, *_ in BREAKS} == set(RULES)


@pytest.mark.parametrize("rule", RULES)
def test_of_a_server_that_keeps_it(rule: str, port: int) -> None:
    """Quaich's server passes."""
    result = verdict(rule, REFUSES_HTTPS if rule == "H037" else HONEST, port)
    assert (result.verdict, result.detail) == ("pass", result.detail)


@pytest.mark.parametrize(
    ("rule", "relay"),
    [(rule, relay) for rule, _, relay in BREAKS],
    ids=[f"{rule}: {what}" for rule, what, _ in BREAKS],
)
def test_of_a_server_that_breaks_it(rule: str, relay: Relay, port: int) -> None:
    """It fails, or is warned of, as the rule's severity says."""
    result = verdict(rule, relay, port)
    assert (result.verdict, result.detail) == (wanted(rule), result.detail)


@pytest.mark.parametrize(
    ("rule", "expected"), [("H013", "pass"), ("H040", "fail"), ("H017", "warn"), ("H051", "fail")]
)
def test_of_a_server_that_drops(rule: str, expected: str, port: int) -> None:
    """To close without an answer is enough where the rule wants no answer."""
    relay = Relay(answer=lambda data: data if data.startswith(b"HTTP/1.1 200") else None)
    assert verdict(rule, relay, port).verdict == expected


@pytest.mark.parametrize("rule", ["H043"])
def test_of_a_server_that_waits(rule: str, port: int) -> None:
    """Neither to answer nor to close is a breach, not a refusal."""
    relay = Relay(ask=lambda data: b"" if b"X-Note one" in data else data)
    result = verdict(rule, relay, port)
    assert result.verdict in ("fail", "warn")
    assert "neither answered" in result.detail


def test_of_a_server_that_answers_a_handshake_with_octets(port: int) -> None:
    """What is no response, on a connection that stays open, is no refusal (H011)."""
    relay = Relay(ask=lambda data: b"" if data[:1] == b"\x16" else data, greet=b"\x15\x03")
    assert verdict("H011", relay, port).verdict == "warn"


def test_of_a_server_that_refuses_longer_paths(port: int) -> None:
    """H034 and H035 say nothing of a server that refuses the same without the fault."""
    relay = asked(rb"^GET \S*/(axb|a.b|%)", b"(")
    assert verdict("H034", relay, port).verdict == "untestable"
    assert verdict("H035", relay, port).verdict == "untestable"


def test_of_a_server_of_its_own_hosts_only(port: int) -> None:
    """H040 goes by the host that it serves."""
    refuses = rb"\r\nHost: (?:http://|\[)?(?:user@)?[^\r]*probe.example[^\r]*"
    relay = asked(refuses, b"\r\nHost : x")
    assert verdict("H040", relay, port).verdict == "pass"
    relay = Relay(ask=lambda data: sub(rb"80x", b"80")(sub(refuses, b"\r\nHost : x")(data) or b""))
    assert verdict("H040", relay, port).verdict == "fail"


@pytest.mark.parametrize("rule", ["H013", "H021", "H040", "H044", "H049"])
def test_without_a_control(rule: str, port: int) -> None:
    """Where nothing is served, a refusal says nothing."""
    result = verdict(rule, asked(rb"^(?=\w)", b"("), port)
    assert result.verdict == "untestable"


@pytest.mark.parametrize("rule", RULES)
def test_of_an_application_that_is_another(rule: str, port: int) -> None:
    """Without the probe's application a trial says the same, or that it cannot tell."""
    relay = REFUSES_HTTPS if rule == "H037" else HONEST
    result = verdict(rule, relay, port, has_application=False)
    assert (result.verdict in ("pass", "untestable"), result.detail) == (True, result.detail)
