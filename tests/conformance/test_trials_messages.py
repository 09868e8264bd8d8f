"""The trials of content, chunks, connections and responses: each sees a server that breaks its
rule.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from conformance.relay import HONEST, Relay, answered, asked, dropped, status, sub, verdict, wanted
from quaich import Server
from quaich.conformance.probe import application
from quaich.conformance.probe.judging import TRIALS
from quaich.conformance.probe.trials import (
    chunks,
    connections,
    content,
    endings,
    expectations,
    messages,
    refusing,
)

MODULES = (content, chunks, expectations, connections, messages, endings)
PERMISSIONS = {"H075", "H096"}  # nobody can break them
RULES = [rule for number in range(60, 141) if (rule := f"H{number:03}") not in PERMISSIONS]

UNTESTABLE = {"H111", "H112"}  # on a server that keeps idle connections; under TLS


def told_of_chunks(environ: Any, start_response: Any) -> Any:
    """The probe's application in a server that leaves Transfer-Encoding where it was."""
    environ["HTTP_TRANSFER_ENCODING"] = "chunked"
    return application.application(environ, start_response)  # type: ignore[no-untyped-call]


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Quaich's server with the probe's application."""
    with Server(application.application, bind="127.0.0.1:0", graceful_timeout=0.5) as server:
        yield server.port


# Until Quaich's server refuses it by itself: what is refused anyway.
REFUSES_600 = answered(rb"^HTTP/1.1 [6-9]\d\d", b"HTTP/1.1 500")
IN_1_1 = asked(rb" HTTP/1\.0\r\n", b" HTTP/1.1\r\n")
KEEPS = asked(rb"Connection: close\r\n", b"")

BREAKS = [
    (
        "H060",
        "GET has no content",
        asked(rb"^(GET [^\r]+\r\n[^\r]+\r\n)Content-Length: 5\r\n", rb"\1"),
    ),
    (
        "H060",
        "POST has none either",
        asked(rb"^(POST [^\r]+\r\n[^\r]+\r\n)Content-Length: 5\r\n", rb"\1"),
    ),
    (
        "H061",
        "there is content",
        asked(rb"^(POST .*)\r\n\r\n\Z", b"\\1\r\nContent-Length: 2\r\n\r\nhi"),
    ),
    ("H061", "a part of the name is enough", asked(rb"C: 7", b"Content-Length: 7")),
    ("H061", "nothing is answered", dropped(b"HTTP")),
    ("H062", "a sign is taken", asked(rb"Content-Length: \+3", b"Content-Length: 3")),
    ("H062", "an empty one is none", asked(rb"Content-Length: \r\n", b"")),
    ("H062", "with 413", status(400, 413)),
    ("H062", "without an answer", dropped(b"HTTP/1.1 400")),
    ("H063", "32 bits", asked(rb"Content-Length: 4294967299", b"Content-Length: 3")),
    ("H063", "64 bits", asked(rb"Content-Length: 18446744073709551619", b"Content-Length: 3")),
    (
        "H064",
        "the first counts",
        asked(rb"Content-Length: 3\r\nContent-Length: 30", b"Content-Length: 3"),
    ),
    (
        "H064",
        "equal ones are added",
        asked(rb"Content-Length: 3, 3\r\n\r\nabc", b"Content-Length: 6\r\n\r\nabcabc"),
    ),
    ("H065", "chunks are refused", asked(rb"Transfer-Encoding: chunked", b"Content-Length: x")),
    ("H065", "a size is part of the content", asked(rb", chunks", b"5\r\nhel")),
    ("H066", "case counts", asked(rb"Transfer-Encoding: Chunked", b"Transfer-Encoding: other")),
    ("H066", "the last line counts", asked(rb"Transfer-Encoding: gzip\r\n", b"")),
    ("H067", "an unknown coding is nothing", asked(rb"x-probe, ", b"")),
    ("H067", "without an answer", dropped(b"HTTP/1.1 501")),
    ("H067", "with 400", status(501, 400)),
    ("H068", "the first coding counts", asked(rb"chunked, gzip", b"chunked")),
    ("H068", "controls are white space", asked(rb"\x0b", b"")),
    ("H069", "on one line", asked(rb"chunked, chunked", b"chunked")),
    ("H069", "on two lines", asked(rb"(Transfer-Encoding: chunked\r\n){2}", rb"\1")),
    ("H070", "a parameter is nothing", asked(rb"chunked;q=1", b"chunked")),
    ("H071", "chunks count, and it goes on", asked(rb"Content-Length: 15\r\n", b"")),
    (
        "H071",
        "the length counts",
        asked(rb"(Content-Length: 15\r\n)Transfer-Encoding: chunked\r\n", rb"\1"),
    ),
    ("H071", "an unknown coding is nothing", asked(rb"Transfer-Encoding: x-probe\r\n", b"")),
    ("H072", "HTTP/1.0 has chunks", IN_1_1),
    ("H073", "identity is nothing", asked(rb"identity, ", b"")),
    ("H074", "gzip is handed on", asked(rb"gzip, ", b"")),
    ("H076", "with 400", status(413, 400)),
    ("H076", "without an answer", dropped(b"HTTP/1.1 413")),
    ("H077", "what came is all", asked(rb"Content-Length: 10", b"Content-Length: 5")),
    (
        "H078",
        "content is a request",
        asked(rb"(POST /hello[^\r]+\r\n[^\r]+\r\n)Content-Length: \d+\r\n", rb"\1"),
    ),
    (
        "H079",
        "content is a request",
        asked(rb"(HEAD [^\r]+\r\n[^\r]+\r\n)Content-Length: \d+\r\n", rb"\1"),
    ),
    ("H080", "a prefix", asked(rb"\r\n0x5\r\n", b"\r\n5\r\n")),
    ("H080", "an underscore", asked(rb"\r\n0_5\r\n", b"\r\n5\r\n")),
    ("H081", "32 bits", asked(rb"\r\n100000005\r\n", b"\r\n5\r\n")),
    ("H081", "64 bits", asked(rb"\r\n10000000000000005\r\n", b"\r\n5\r\n")),
    ("H082", "what is too much is lost", asked(rb"hello!", b"hello")),
    ("H082", "CRLF may be missing", asked(rb"hello0", b"hello\r\n0")),
    ("H083", "behind a size", asked(rb"\r\n\r\n5\nhello", b"\r\n\r\n5\r\nhello")),
    ("H083", "behind an extension", asked(rb"5;a\nhello", b"5\r\nhello")),
    ("H083", "behind data", asked(rb"hello\n", b"hello\r\n")),
    ("H084", "no name", asked(rb"5;\r\n", b"5\r\n")),
    ("H084", "an open quote", asked(rb';a="open', b"")),
    ("H085", "is refused", asked(rb"5;a=b;c=d", b"5;\x01")),
    ("H085", "is content", asked(rb"5;a=b\r\n", b"8\r\n;a=")),
    ("H086", "there is no limit", asked(rb";?x+", b"")),
    ("H087", "the empty line may be missing", asked(rb"\r\n0\r\n\Z", b"\r\n0\r\n\r\n")),
    ("H087", "what is behind is lost", asked(rb"hello again\r\n", b"")),
    ("H088", "white space is taken off", asked(rb"X-Probe : ", b"X-Probe: ")),
    ("H088", "they are lost", asked(rb"X-Probe-?[0-9]*: x*\r\n", b"")),
    (
        "H089",
        "they are fields",
        asked(
            rb"(\r\nTransfer-Encoding.*)X-Probe-Trailer: yes\r\n", b"\r\nX-Probe-Trailer: yes\\1"
        ),
    ),
    (
        "H090",
        "Host counts",
        asked(rb"Host: [^\r]+(\r\n.*\r\n0\r\n)Host: o[^\r]+\r\n", rb"Host: other.example\1"),
    ),
    ("H091", "the end is the end", asked(rb"(\r\n\r\n5\r\nhello\r\n)\Z", b"\\g<1>0\r\n\r\n")),
    ("H093", "another is answered with 400", asked(rb"Expect: x-probe", b"Expect : x")),
    ("H094", "it counts in HTTP/1.0", IN_1_1),
    ("H095", "nothing comes", dropped(b"HTTP/1.1 100")),
    ("H097", "nothing follows", dropped(b"HTTP/1.1 500")),
    ("H098", "it is not said", Relay(answer=sub(rb"Connection: close\r\n", b""), then="close")),
    ("H099", "it comes in HTTP/1.0", IN_1_1),
    ("H100", "HTTP/1.0 switches", status(200, 101)),
    ("H100", "101 is first", status(100, 101)),
    ("H101", "101 says nothing", status(200, 101)),
    ("H102", "gzip", answered(rb"-Encoding: chunked", b"-Encoding: gzip, chunked")),
    ("H102", "a trailer field", answered(rb"0\r\n\r\n\Z", b"0\r\nX-Probe: 1\r\n\r\n")),
    ("H103", "the first counts", asked(rb"Connection: TE, Close", b"Connection: TE")),
    ("H103", "the first line counts", asked(rb"\r\nConnection: TE\r\nConnection: close", b"")),
    ("H103", "a part of a word counts", asked(rb"Connection: x-close", b"Connection: close")),
    ("H104", "keep-alive is first", asked(rb"keep-alive, close", b"keep-alive")),
    ("H104", "HTTP/1.0 is kept", IN_1_1),
    ("H104", "HTTP/1.1 is not", Relay(then="close")),
    ("H105", "it is not said", Relay(then="close")),
    ("H106", "close is nothing", KEEPS),
    ("H107", "it is not said", answered(rb"Connection: keep-alive\r\n", b"")),
    ("H108", "another order", answered(rb"\r\n\r\nslow", b"\r\n\r\nlast")),
    ("H108", "the others are lost", asked(rb"\r\n\r\nGET .*", b"\r\n\r\n")),
    ("H109", "it is put right", asked(rb"Content-Length: x", b"Content-Length: 0")),
    ("H109", "chunks nobody reads are put right", asked(rb"\r\nxyz\r\n", b"\r\n5\r\n")),
    ("H110", "a reset", Relay(then="reset")),
    ("H111", "408", answered(rb"\Z", b"HTTP/1.1 408 Request Timeout\r\n\r\n")),
    ("H111", "a reset", Relay(then="reset")),
    (
        "H113",
        "the cookie stays",
        asked(rb"(GET /environ[^\r]+\r\n[^\r]+)\r\n\r\n", b"\\1\r\nCookie: probe=first\r\n\r\n"),
    ),
    ("H114", "no reason and no space", answered(rb"^HTTP/1.1 200 OK", b"HTTP/1.1 200")),
    ("H114", "no version", answered(rb"^HTTP/1.1 299", b"HTTP/1 299")),
    ("H115", "a version that is none", answered(rb"^HTTP/1.1", b"HTTP/1.2")),
    ("H116", "unknown codes", status(299, 200)),
    ("H116", "too large", status(500, 600)),
    ("H117", "a control character", answered(rb"^HTTP/1.1 500 [^\r]+", b"HTTP/1.1 200 O\x01K")),
    ("H118", "a field more", answered(rb"^(HTTP/1.1 500 [^\r]+)", b"\\1\r\nX-Smuggled: 1")),
    ("H118", "NUL", answered(rb"^(HTTP/1.1 500 [^\r]+)", b"\\1\r\nX-Probe: a\0")),
    ("H119", "white space", answered(rb"Server: ", b"Server : ")),
    ("H120", "204 has content", answered(rb"(HTTP/1.1 204 .*\r\n\r\n)", rb"\1hello")),
    ("H120", "304 has content", answered(rb"(HTTP/1.1 304 .*\r\n\r\n)", rb"\1hello")),
    ("H120", "HEAD has content", Relay(ask=sub(rb"^HEAD ", b"GET "))),
    ("H121", "204", answered(rb"HTTP/1.1 204 [^\r]+\r\n", b"\\g<0>Content-Length: 0\r\n")),
    ("H122", "204", answered(rb"HTTP/1.1 204 [^\r]+\r\n", b"\\g<0>Transfer-Encoding: chunked\r\n")),
    ("H123", "304", answered(rb"HTTP/1.1 304 [^\r]+\r\n", b"\\g<0>Content-Length: 0\r\n")),
    ("H123", "HEAD", Relay(ask=sub(rb"^HEAD [^\r]+ HTTP", b"HEAD / HTTP"))),
    (
        "H124",
        "some content",
        answered(rb"(205 .*)Content-Length: 0(.*)", rb"\1Content-Length: 5\2hello"),
    ),
    ("H125", "Vary is lost", answered(rb"Vary: Accept\r\n", b"")),
    ("H126", "both", answered(rb"Transfer-Encoding: chunked\r\n", b"\\g<0>Content-Length: 5\r\n")),
    ("H127", "a coding", answered(rb"\r\nServer", b"\r\nTransfer-Encoding: x\r\nServer")),
    ("H128", "neither", answered(rb"Content-Length: 5\r\n", b"", "close")),
    ("H129", "as in HTTP/1.0", asked(rb" HTTP/1\.1\r\n", b" HTTP/1.0\r\n")),
    ("H130", "it is not said", answered(rb"Connection: close\r\n", b"")),
    ("H131", "too much", answered(rb"(Content-Length: 5\r\n.*hello)\Z", rb"\1, probe")),
    (
        "H131",
        "too little, and it goes on",
        answered(rb"Content-Length: 5\r", b"Content-Length: 9\r"),
    ),
    (
        "H132",
        "the last chunk comes",
        answered(rb"(\r\nhel\r\n|^)2\r\nlo\r\n\Z", b"\\g<0>0\r\n\r\n"),
    ),
    ("H132", "data that do not end with CR LF", answered(rb"3\r\nhel\r\n", b"3\r\nhelXX")),
    ("H132", "a size that is negative", answered(rb"3\r\nhel\r\n", b"-F\r\nhel\r\n")),
    ("H132", "a size with a prefix", answered(rb"3\r\nhel\r\n", b"0x3\r\nhel\r\n")),
    ("H132", "an empty chunk", answered(rb"3\r\nhel\r\n", b"\\g<0>0\r\n\r\n")),
    ("H133", "no Date", answered(rb"Date: [^\r]+\r\n", b"")),
    ("H133", "two of them", answered(rb"Date: [^\r]+\r\n", rb"\g<0>\g<0>")),
    ("H134", "another form", answered(rb"Date: \w{3}, (\d\d) ", rb"Date: \1-")),
    ("H134", "another day", answered(rb"Date: \w{3}, \d\d \w{3} \d{4}", b"Date: Mon, 06 Jun 2006")),
    ("H135", "much of it", answered(rb"Server: [^\r]+", b"Server: toy/1.0 (Linux) Python/3.11")),
    ("H136", "a field is lost", answered(rb"WWW-Authenticate: [^\r]+\r\n", b"")),
    ("H136", "405 without Allow", answered(rb"^HTTP/1.1 501 [^\r]+", b"HTTP/1.1 405 No")),
    ("H137", "HEAD is not found", asked(rb"^HEAD / ", b"HEAD /answer?status=404%20No ")),
    ("H138", "it is sent back", answered(rb"\r\nServer", b"\r\nX-Echo: probe=secret\r\nServer")),
    ("H139", "101", answered(rb"^HTTP/1.1 500 [^\r]+", b"HTTP/1.1 101 Switching Protocols")),
    (
        "H139",
        "103 and no more",
        answered(rb"^HTTP/1.1 500 .*", b"HTTP/1.1 103 Hints\r\n\r\n", "close"),
    ),
    ("H140", "one line", answered(rb"(Set-Cookie: one=1; Path=/)\r\nSet-Cookie: ", rb"\1, ")),
    ("H140", "the last wins", answered(rb"Set-Cookie: one=1; Path=/\r\n", b"")),
]


def test_all_rules_have_a_trial() -> None:
    """Each of H060 to H140 that can be broken, in the modules of this test."""
    names = {module.__name__ for module in MODULES}
    assert sorted(rule for rule, each in TRIALS.items() if each.__module__ in names) == RULES
    assert {rule for rule, *_ in BREAKS} == set(RULES) - {"H092", "H112"}


@pytest.mark.parametrize("rule", RULES)
def test_of_a_server_that_keeps_it(rule: str, port: int) -> None:
    """Quaich's server passes."""
    result = verdict(rule, REFUSES_600 if rule == "H116" else HONEST, port)
    expected = "untestable" if rule in UNTESTABLE else "pass"
    assert (result.verdict, result.detail) == (expected, result.detail)


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
    ("rule", "relay"),
    [
        ("H063", asked(rb"Content-Length: 4294967299", b"Content-Length: 3")),
        ("H081", asked(rb"\r\n100000005\r\n", b"\r\n5\r\n")),
    ],
)
def test_of_a_server_that_is_slow_to_break_it(
    rule: str, relay: Relay, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it answers while another request is served counts too: silence is not trusted."""
    monkeypatch.setattr(refusing, "SHORT", 0.001)
    assert verdict(rule, relay, port).verdict == "fail"


def test_of_a_server_that_tells_of_chunks() -> None:
    """H092 is in the environ, where no relay gets at it."""
    with Server(told_of_chunks, bind="127.0.0.1:0", graceful_timeout=0.5) as server:
        assert verdict("H092", HONEST, server.port).verdict == "fail"


@pytest.mark.parametrize("rule", ["H062", "H064", "H068", "H080", "H087", "H090", "H091", "H092"])
def test_without_a_control(rule: str, port: int) -> None:
    """Where nothing is served, a refusal says nothing."""
    assert verdict(rule, asked(rb"^POST", b"P(ST"), port).verdict == "untestable"


@pytest.mark.parametrize("rule", RULES)
def test_of_an_application_that_is_another(rule: str, port: int) -> None:
    """Without the probe's application a trial says the same, or that it cannot tell."""
    result = verdict(rule, HONEST, port, has_application=False)
    assert (result.verdict in ("pass", "untestable"), result.detail) == (True, result.detail)
