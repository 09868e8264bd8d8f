"""Every rule that is decided from a request's bytes, by its number: what breaks it is refused
with the status that it names, what keeps it comes to what it says."""

import re
from pathlib import Path
from typing import Any

import pytest

from protocol.connection import HOST, chunks, get, post, read_connection
from protocol.wire import singly
from quaich.protocol.http1 import EMPTY_LINES_MAX
from quaich.protocol.request import METHOD_MAX

# --- What is refused -------------------------------------------------------------------------

# The rule; status and rule of the refusal (one rule can be a case of another); the bytes.
REFUSED: list[tuple[str, str, bytes]] = [
    ("H002", "400 H003", b"GET / HTTP/1.1\n"),
    ("H003", "400 H003", b"GET / HTTP/1.1\r\nHost: a\n\r\n"),
    ("H003", "400 H003", b"GET / HTTP/1.1\r\nHost: a\r\n\n"),
    ("H003", "400 H003", b"\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("H004", "400 H004", get(line=b"GET / HTTP/1.1\r")),
    ("H004", "400 H004", get(b"X: a\rb\r\n")),
    ("H004", "400 H004", b"GET / HTTP/1.1\r\nHost: a\r\n\r\r\n\r\n"),
    ("H005", "400 H013", b"\r\n" * (EMPTY_LINES_MAX + 1)),
    ("H006", "400 H047", b"GET / HTTP/1.1\r\n Host: a\r\n\r\n"),
    ("H006", "400 H047", b"GET / HTTP/1.1\r\n \r\nHost: a\r\n\r\n"),
    ("H007", "400 H013", b"\x00\x01\x02\r\n"),
    ("H008", "400 H013", get() + b"\r\n" * (EMPTY_LINES_MAX + 1)),
    ("H011", "400 H011", b"\x16\x03"),
    ("H011", "400 H011", b"\x16\x03\x01\x02\n\x01\r"),
    ("H012", "505 H012", b"PRI * HTTP/2.0\r\n"),
    ("H012", "505 H012", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    ("H013", "400 H013", b"GET / HTTP/1.1 \r\n"),
    ("H014", "400 H013", b"GET\t/\tHTTP/1.1\r\n"),
    ("H014", "400 H013", b"GET  / HTTP/1.1\r\n"),
    ("H015", "400 H013", b"GET /a b HTTP/1.1\r\n"),
    ("H016", "400 H016", b"G(T / HTTP/1.1\r\n"),
    ("H017", "501 H017", b"A" * (METHOD_MAX + 1) + b" / HTTP/1.1\r\n"),
    ("H017", "501 H017", get(line=b"B" * (METHOD_MAX + 1) + b" / HTTP/1.1")),
    ("H017", "501 H017", get(b"Content-Length: 0\r\n", b"B" * (METHOD_MAX + 1) + b" / HTTP/1.1")),
    ("H019", "414 H019", b"GET /" + b"a" * 9000),
    ("H019", "414 H019", get(line=b"GET /" + b"a" * 9000 + b" HTTP/1.1")),
    ("H021", "400 H021", b"GET / http/1.1\r\n"),
    ("H021", "400 H021", b"GET / HTTP/1.10\r\n"),
    ("H023", "505 H023", b"GET / HTTP/3.0\r\n"),
    ("H024", "400 H024", b"GET /\r\n"),
    ("H025", "400 H025", b"GET a HTTP/1.1\r\n"),
    ("H025", "400 H025", b"GET ftp://a/ HTTP/1.1\r\n"),
    ("H026", "400 H026", b"GET /#a HTTP/1.1\r\n"),
    ("H028", "400 H028", b"GET http:///a HTTP/1.1\r\n"),
    ("H028", "400 H038", get(line=b"GET http://a/ HTTP/1.1", host=b"")),
    ("H030", "400 H030", b"GET http://u@a/ HTTP/1.1\r\n"),
    ("H031", "501 H031", b"CONNECT a:443 HTTP/1.1\r\n"),
    ("H031", "400 H031", b"CONNECT a: HTTP/1.1\r\n"),
    ("H031", "400 H031", b"CONNECT / HTTP/1.1\r\n"),
    ("H031", "400 H031", get(line=b"CONNECT / HTTP/1.1")),
    ("H031", "400 H031", get(b"Content-Length: 0\r\n", b"CONNECT / HTTP/1.1")),
    ("H032", "400 H032", b"GET a:443 HTTP/1.1\r\n"),
    ("H033", "400 H033", b"GET * HTTP/1.1\r\n"),
    ("H033", "400 H033", b"PRI * HTTP/1.1\r\n"),
    ("H034", "400 H034", b"GET /\xc3\xa9 HTTP/1.1\r\n"),
    ("H034", "400 H034", b"GET /| HTTP/1.1\r\n"),
    ("H035", "400 H035", b"GET /%zz HTTP/1.1\r\n"),
    ("H038", "400 H038", get(host=b"")),
    ("H038", "400 H038", get(line=b"GET / HTTP/1.2", host=b"")),
    ("H039", "400 H039", get(HOST)),
    ("H039", "400 H039", get(HOST, b"GET / HTTP/1.0")),
    ("H040", "400 H040", get(host=b"Host: a b\r\n")),
    ("H040", "400 H040", get(host=b"Host: a/\r\n")),
    ("H040", "400 H040", get(host=b"Host: a:65536\r\n")),
    ("H040", "400 H040", get(line=b"GET / HTTP/1.0", host=b"Host: [::1\r\n")),
    ("H043", "400 H043", get(b"X\r\n")),
    ("H044", "400 H044", get(b"X(: a\r\n")),
    ("H044", "400 H044", get(b": a\r\n")),
    ("H045", "400 H045", get(b"X : a\r\n")),
    ("H047", "400 H047", get(b"X: a\r\n b\r\n")),
    ("H048", "400 H048", get(b"X: a\x00\r\n")),
    ("H049", "400 H049", get(b"X: \x0b\r\n")),
    ("H051", "431 H051", get(b"X: " + b"a" * 9000 + b"\r\n")),
    ("H051", "431 H051", get(b"X: a\r\n" * 100)),
    ("H051", "431 H051", get(b"X: " + b"a" * 8000)[:-2] + (b"\r\nX: " + b"a" * 8000) * 8),
    ("H053", "400 H053", get(b"Content-Type: a\r\nContent-Type: a\r\n")),
    ("H053", "400 H053", get(b"Authorization: a\r\nauthorization: b\r\n")),
    ("H062", "400 H062", post(b"Content-Length: +5\r\n")),
    ("H062", "400 H062", post(b"Content-Length:\r\n")),
    ("H063", "400 H063", post(b"Content-Length: " + b"1" * 21 + b"\r\n")),
    ("H064", "400 H064", post(b"Content-Length: 5\r\nContent-Length: 5\r\n")),
    ("H064", "400 H064", post(b"Content-Length: 5, 5\r\n")),
    ("H066", "400 H068", post(b"Transfer-Encoding: Chunked\r\ntransfer-encoding: gzip\r\n")),
    ("H067", "501 H067", post(b"Transfer-Encoding: xchunked\r\n")),
    ("H067", "501 H067", post(b"Transfer-Encoding:\r\n")),
    ("H068", "400 H068", post(b"Transfer-Encoding: chunked, gzip\r\n")),
    ("H069", "400 H069", post(b"Transfer-Encoding: chunked, chunked\r\n")),
    ("H070", "400 H070", post(b"Transfer-Encoding: chunked;q=1\r\n")),
    ("H071", "400 H071", post(b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n")),
    ("H072", "400 H072", get(b"Transfer-Encoding: chunked\r\n", b"POST / HTTP/1.0")),
    ("H073", "501 H067", post(b"Transfer-Encoding: identity\r\n")),
    ("H074", "501 H067", post(b"Transfer-Encoding: gzip, chunked\r\n")),
    ("H080", "400 H080", chunks(b"x\r\n")),
    ("H080", "400 H080", chunks(b"0x1\r\n")),
    ("H081", "400 H081", chunks(b"1" * 17 + b"\r\n")),
    ("H082", "400 H082", chunks(b"1\r\nab\r\n")),
    ("H083", "400 H083", chunks(b"1\na\r\n")),
    ("H084", "400 H084", chunks(b"1;=\r\n")),
    ("H086", "400 H086", chunks(b"1;" + b"a" * 5000)),
    ("H088", "400 H045", chunks(b"0\r\nX : a\r\n\r\n")),
    ("H088", "431 H088", chunks(b"0\r\n" + b"X: a\r\n" * 101)),
    ("H090", "400 H090", chunks(b"0\r\nHost: a\r\n\r\n")),
    ("H093", "417 H093", post(b"Expect: 200-ok\r\n")),
    ("H093", "417 H093", post(b"Expect: 100-continue\r\nExpect: x\r\nContent-Length: 1\r\n")),
    ("H109", "400 H062", post(b"Content-Length: x\r\n") + get()),
]


@pytest.mark.parametrize(
    ("verdict", "data"),
    [pytest.param(*row[1:], marks=pytest.mark.rule(row[0]), id=row[0]) for row in REFUSED],
)
def test_refused(verdict: str, data: bytes) -> None:
    whole = read_connection([data])
    assert whole.verdict == verdict
    if len(data) < 1000:
        assert read_connection(singly(data)) == whole


# --- What is taken ---------------------------------------------------------------------------

# The rule; the bytes; some of the variables of the last message, its content and its framing
# among them. None: it has no such variable.
TAKEN: list[tuple[str, bytes, dict[str, Any]]] = [
    ("H001", get(b"X: a\x85b\xe2\x80\xa8\r\n"), {"HTTP_X": "a\x85b\xe2\x80\xa8"}),
    ("H002", get(b"X: a\r\n"), {"HTTP_X": "a", "SERVER_PROTOCOL": "HTTP/1.1"}),
    ("H005", b"\r\n" * EMPTY_LINES_MAX + get(), {"HTTP_HOST": "a"}),
    ("H008", post(b"Content-Length: 1\r\n", b"a") + b"\r\n" + get(), {"REQUEST_METHOD": "GET"}),
    ("H016", get(line=b"get / HTTP/1.1"), {"REQUEST_METHOD": "get"}),
    ("H017", get(line=b"A" * METHOD_MAX + b" / HTTP/1.1"), {"REQUEST_METHOD": "A" * METHOD_MAX}),
    ("H018", get(line=b"X-Y / HTTP/1.1"), {"REQUEST_METHOD": "X-Y"}),
    ("H020", get(line=b"GET /" + b"a" * 8000 + b" HTTP/1.1"), {"PATH_INFO": "/" + "a" * 8000}),
    ("H022", get(line=b"GET / HTTP/1.9"), {"SERVER_PROTOCOL": "HTTP/1.9", "persists": True}),
    ("H025", get(line=b"GET /a/b?c=d?e HTTP/1.1"), {"PATH_INFO": "/a/b", "QUERY_STRING": "c=d?e"}),
    ("H025", get(line=b"GET /a? HTTP/1.1"), {"REQUEST_URI": "/a?", "QUERY_STRING": ""}),
    (
        "H027",
        get(line=b"GET http://b:8/c?d HTTP/1.1"),
        {"PATH_INFO": "/c", "QUERY_STRING": "d", "RAW_URI": "http://b:8/c?d"},
    ),
    ("H028", get(line=b"GET http://b:8/c HTTP/1.1"), {"HTTP_HOST": "b:8"}),
    ("H029", get(line=b"GET http://b HTTP/1.1"), {"PATH_INFO": "/"}),
    ("H029", get(line=b"OPTIONS http://b HTTP/1.1"), {"PATH_INFO": "", "HTTP_HOST": "b"}),
    ("H033", get(line=b"OPTIONS * HTTP/1.1"), {"PATH_INFO": "", "REQUEST_URI": "*"}),
    ("H036", get(line=b"GET /%c3%A9%2541 HTTP/1.1"), {"PATH_INFO": "/\xc3\xa9%41"}),
    ("H036", get(line=b"GET /a?%41 HTTP/1.1"), {"PATH_INFO": "/a", "QUERY_STRING": "%41"}),
    ("H041", get(host=b"Host:\r\n"), {"HTTP_HOST": ""}),
    ("H042", get(line=b"GET / HTTP/1.0", host=b""), {"HTTP_HOST": None}),
    ("H046", get(b"X: \t a b\t \r\n"), {"HTTP_X": "a b"}),
    ("H046", get(b"X:\xa0a\xa0\r\n"), {"HTTP_X": "\xa0a\xa0"}),
    ("H050", get(b"X: \x80\xff\r\n"), {"HTTP_X": "\x80\xff"}),
    ("H052", get(b"X: a\r\nx: b\r\nX:\r\n"), {"HTTP_X": "a, b, "}),
    ("H053", get(b"Cookie: a=1\r\nCookie: b=2\r\n"), {"HTTP_COOKIE": "a=1; b=2"}),
    ("H054", get(b"Connection: , close,,\r\n"), {"persists": False}),
    ("H055", chunks(b"1 \t; a\t=\tb\r\nx\r\n0\r\n\r\n"), {"content": b"x"}),
    ("H056", chunks(b'1;a="\\";\\\\"\r\nx\r\n0\r\n\r\n'), {"content": b"x"}),
    ("H057", get(b"X_A: 1\r\nX-A: 2\r\n"), {"HTTP_X_A": "2"}),
    ("H057", get(b"Content_Length: 5\r\n"), {"framing": "NoneType", "CONTENT_LENGTH": None}),
    ("H057", get(b"Transfer_Encoding: chunked\r\n"), {"framing": "NoneType"}),
    ("H058", get(b"X-Unheard-Of: a\r\n"), {"HTTP_X_UNHEARD_OF": "a"}),
    ("H059", get(b"Proxy: a\r\n"), {"HTTP_PROXY": None}),
    ("H060", get(b"Content-Length: 5\r\n") + b"hello", {"content": b"hello", "framing": "Length"}),
    ("H061", post(b""), {"framing": "NoneType", "CONTENT_LENGTH": None}),
    ("H061", post(b"Content-Length: 0\r\n"), {"framing": "NoneType", "CONTENT_LENGTH": "0"}),
    ("H061", post(b"Content-Length: 00\r\n"), {"framing": "NoneType", "CONTENT_LENGTH": "00"}),
    ("H062", post(b"Content-Length: 003\r\n", b"abc"), {"content": b"abc"}),
    ("H065", chunks(b"3\r\nabc\r\n0\r\n\r\n"), {"content": b"abc", "framing": "Chunked"}),
    (
        "H066",
        post(b"Transfer-Encoding: ,\r\nTransfer-encoding: CHUNKED,\r\n", b"0\r\n\r\n"),
        {"framing": "Chunked"},
    ),
    ("H079", get(b"Content-Length: 2\r\n", b"HEAD / HTTP/1.1") + b"ab", {"content": b"ab"}),
    ("H079", get(b"Content-Length: 2\r\n", b"DELETE / HTTP/1.1") + b"ab", {"content": b"ab"}),
    ("H080", chunks(b"a\r\n0123456789\r\n00B\r\n0123456789a\r\n0\r\n\r\n"), {"framing": "Chunked"}),
    ("H085", chunks(b"1;unheard-of\r\na\r\n0;x=y\r\n\r\n"), {"content": b"a"}),
    ("H087", chunks(b"1\r\na\r\n000\r\n\r\n"), {"content": b"a"}),
    ("H088", chunks(b"0\r\nX: a\r\n\r\n"), {"trailers": [("X", "a")]}),
    ("H089", chunks(b"0\r\nX: a\r\n\r\n"), {"HTTP_X": None}),
    ("H092", chunks(b"0\r\n\r\n"), {"HTTP_TRANSFER_ENCODING": None, "CONTENT_LENGTH": None}),
    (
        "H093",
        post(b"Expect: ,100-Continue\r\nContent-Length: 1\r\n", b"a"),
        {"awaits_continue": True},
    ),
    (
        "H094",
        get(b"Expect: 100-continue\r\nContent-Length: 1\r\n", b"POST / HTTP/1.0") + b"a",
        {"awaits_continue": False, "HTTP_EXPECT": "100-continue"},
    ),
    ("H094", get(b"Expect: x\r\n", b"GET / HTTP/1.0"), {"awaits_continue": False}),
    (
        "H095",
        post(b"Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n"),
        {"awaits_continue": True},
    ),
    ("H096", get(b"Expect: 100-continue\r\n"), {"awaits_continue": False}),
    (
        "H096",
        post(b"Expect: 100-continue\r\nContent-Length: 0\r\n"),
        {"awaits_continue": False},
    ),
    (
        "H100",
        get(b"Connection: upgrade\r\nUpgrade: x\r\n"),
        {"HTTP_UPGRADE": "x", "persists": True},
    ),
    ("H103", get(b"Connection: x,Close\r\n"), {"persists": False}),
    ("H103", get(b"Connection: x\r\nConnection: close\r\n"), {"persists": False}),
    ("H104", get(), {"persists": True}),
    ("H104", get(b"Connection: keep-alive\r\n"), {"persists": True}),
    ("H104", get(b"Connection: close\r\n"), {"persists": False}),
    ("H104", get(line=b"GET / HTTP/1.0"), {"persists": False}),
    ("H104", get(b"Connection: Keep-Alive\r\n", b"GET / HTTP/1.0"), {"persists": True}),
    ("H106", get(b"Connection: close\r\n") + get(line=b"GET /b HTTP/1.1"), {"PATH_INFO": "/"}),
    ("H108", get() + get(line=b"GET /b HTTP/1.1"), {"PATH_INFO": "/b"}),
]


@pytest.mark.parametrize(
    ("data", "expected"),
    [pytest.param(*row[1:], marks=pytest.mark.rule(row[0]), id=row[0]) for row in TAKEN],
)
def test_taken(data: bytes, expected: dict[str, Any]) -> None:
    whole = read_connection([data])
    assert whole.verdict == "ok"
    found = whole.messages[-1].variables | whole.messages[-1]._asdict()
    assert {name: found.get(name) for name in expected} == expected
    # And once more, when its lines are known.
    assert read_connection([data]) == whole
    if len(data) < 1000:
        assert read_connection(singly(data)) == whole


@pytest.mark.rule("H077")
@pytest.mark.rule("H091")
@pytest.mark.parametrize(
    "data", [post(b"Content-Length: 5\r\n", b"hell"), chunks(b"5\r\nhello\r\n"), chunks(b"0\r\n")]
)
def test_a_content_that_breaks_off_is_not_taken_for_whole(data: bytes) -> None:
    assert read_connection([data]).verdict == "incomplete"


# What a server decides, who has a socket, a clock and settings. Of responses, from H114 on, see
# test_framing.py and test_response.py.
ELSEWHERE = {10, 37, 75, 76, 78, 97, 98, 99, 101, 102, 105, 107, 110, 111, 112}


def test_every_rule_about_the_bytes_of_a_request_has_its_test() -> None:
    numbers = {row[0] for row in REFUSED} | {row[0] for row in TAKEN}
    for path in Path(__file__).parent.glob("test_*.py"):
        numbers |= set(re.findall(r'mark\.rule\("(H\d{3})"\)', path.read_text("utf-8")))
    wanted = {f"H{number:03}" for number in set(range(1, 114)) - ELSEWHERE}
    assert sorted(wanted - numbers) == []
