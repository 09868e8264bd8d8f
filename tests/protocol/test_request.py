"""The request's head, line by line."""

import pytest

from protocol.wire import refusal
from quaich.protocol.errors import ProtocolError
from quaich.protocol.request import (
    DROPIN,
    METHOD_MAX,
    STRICT,
    Leniency,
    RequestLine,
    Target,
    check_fields,
    decode_path,
    parse_field_line,
    parse_request_line,
    parse_target,
    strip_line_end,
)

# --- Line ends --------------------------------------------------------------------------


@pytest.mark.rule("H002")
@pytest.mark.parametrize("leniency", [STRICT, DROPIN])
@pytest.mark.parametrize("content", [b"", b"GET / HTTP/1.1", b"a\tb \x00\xff"])
def test_crlf_ends_a_line(content: bytes, leniency: Leniency) -> None:
    assert strip_line_end(content + b"\r\n", leniency) == content


@pytest.mark.rule("H003")
@pytest.mark.parametrize("line", [b"\n", b"abc\n"])
def test_a_bare_lf_ends_a_line_only_where_that_is_allowed(line: bytes) -> None:
    with pytest.raises(ProtocolError) as info:
        strip_line_end(line)
    assert refusal(info.value) == (400, "H003")
    assert strip_line_end(line, Leniency(bare_lf=True)) == line[:-1]


@pytest.mark.rule("H009")
@pytest.mark.parametrize("line", [b"", b"abc", b"Host: a"])
def test_the_end_of_the_stream_ends_a_line_only_where_that_is_allowed(line: bytes) -> None:
    with pytest.raises(ProtocolError) as info:
        strip_line_end(line)
    assert refusal(info.value) == (400, "H009")
    assert strip_line_end(line, Leniency(eof_ends_head=True)) == line


@pytest.mark.rule("H004")
@pytest.mark.parametrize("leniency", [STRICT, DROPIN])
@pytest.mark.parametrize("line", [b"a\rb\r\n", b"a\r\r\n", b"\r\r\n", b"\ra\r\n"])
def test_a_bare_cr_is_refused_in_every_profile(line: bytes, leniency: Leniency) -> None:
    with pytest.raises(ProtocolError) as info:
        strip_line_end(line, leniency)
    assert refusal(info.value) == (400, "H004")


# --- The request line -------------------------------------------------------------------


@pytest.mark.rule("H013")
@pytest.mark.parametrize("leniency", [STRICT, DROPIN])
@pytest.mark.parametrize(
    ("line", "method", "target", "version"),
    [
        (b"GET / HTTP/1.1", "GET", "/", "HTTP/1.1"),
        (b"GET /a?b=c&d HTTP/1.0", "GET", "/a?b=c&d", "HTTP/1.0"),
        (b"OPTIONS * HTTP/1.1", "OPTIONS", "*", "HTTP/1.1"),
        (b"GET http://a:1/b HTTP/1.1", "GET", "http://a:1/b", "HTTP/1.1"),
        (b"CONNECT [::1]:443 HTTP/1.1", "CONNECT", "[::1]:443", "HTTP/1.1"),
        (b"get / HTTP/1.1", "get", "/", "HTTP/1.1"),  # H016: another method than GET
        (b"-BLARGH /foo HTTP/1.1", "-BLARGH", "/foo", "HTTP/1.1"),
        (b"M-SEARCH / HTTP/1.1", "M-SEARCH", "/", "HTTP/1.1"),
        (b"GET / HTTP/1.2", "GET", "/", "HTTP/1.2"),  # H022
        (b"GET / HTTP/1.9", "GET", "/", "HTTP/1.9"),
        (b"GET /%C3%A9%00 HTTP/1.1", "GET", "/%C3%A9%00", "HTTP/1.1"),
    ],
)
def test_a_request_line(
    line: bytes, method: str, target: str, version: str, leniency: Leniency
) -> None:
    assert parse_request_line(line, leniency) == RequestLine(method, target, version)


REFUSED_LINES = [
    ("H011", 400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    ("H013", 400, b""),
    ("H013", 400, b"GET"),
    ("H024", 400, b"GET /"),
    ("H013", 400, b"GET HTTP/1.1"),
    ("H013", 400, b"GET / HTTP/1.1 "),
    ("H013", 400, b" GET / HTTP/1.1"),
    ("H013", 400, b"GET  / HTTP/1.1"),
    ("H013", 400, b"GET /  HTTP/1.1"),
    ("H013", 400, b"GET\t/\tHTTP/1.1"),
    ("H013", 400, b"GET /foo bar HTTP/1.1"),
    ("H013", 400, b"GET / HTTP/1.1 HTTP/1.1"),
    ("H016", 400, b"GE\x00T / HTTP/1.1"),
    ("H016", 400, b"GET: / HTTP/1.1"),
    ("H016", 400, b"G\xc3\x89T / HTTP/1.1"),
    ("H016", 400, b"(GET) / HTTP/1.1"),
    ("H017", 501, b"A" * (METHOD_MAX + 1) + b" / HTTP/1.1"),
    ("H017", 501, b"\xff" * (METHOD_MAX + 1)),
    ("H021", 400, b"GET / http/1.1"),
    ("H021", 400, b"GET / HTTP/1"),
    ("H021", 400, b"GET / HTTP/1."),
    ("H021", 400, b"GET / HTTP/1.10"),
    ("H021", 400, b"GET / HTTP/01.1"),
    ("H021", 400, b"GET / HTTP/111"),
    ("H021", 400, b"GET / HTTP/-1.1"),
    ("H021", 400, b"GET / HTTP/\xb9.1"),
    ("H021", 400, b"GET / HTTP /1.1".replace(b" /1", b"\xa0/1")),
    ("H021", 400, b"GET / ICE/1.0"),
    ("H021", 400, b"GET / HTTPS/1.1"),
    ("H023", 505, b"GET / HTTP/0.9"),
    ("H023", 505, b"GET / HTTP/2.0"),
    ("H023", 505, b"GET / HTTP/9.9"),
    ("H023", 505, b"PRI * HTTP/2.0"),  # H012
    ("H026", 400, b"GET /#a HTTP/1.1"),
    ("H034", 400, b"GET /\x00 HTTP/1.1"),
    ("H034", 400, b"GET /\x7f HTTP/1.1"),
]


@pytest.mark.rule("H013")
@pytest.mark.parametrize(
    ("rule", "status", "line", "http09"),
    [
        (rule, status, line, http09)
        for rule, status, line in REFUSED_LINES
        for http09 in (False, True)
        # These two are HTTP/0.9; the second for the target "HTTP/1.1".
        if not (http09 and line in (b"GET /", b"GET HTTP/1.1"))
    ],
)
def test_a_request_line_that_is_refused(rule: str, status: int, line: bytes, http09: bool) -> None:
    for raw_target in (False, True):
        with pytest.raises(ProtocolError) as info:
            parse_request_line(line, Leniency(http09=http09, raw_target=raw_target))
        assert refusal(info.value) == (status, rule)


@pytest.mark.rule("H017")
def test_the_longest_method() -> None:
    method = "A" * METHOD_MAX
    assert parse_request_line(f"{method} / HTTP/1.1".encode()).method == method


@pytest.mark.rule("H024")
@pytest.mark.parametrize("line", [b"GET /", b"GET /a?b"])
def test_http_0_9_only_where_it_is_allowed(line: bytes) -> None:
    with pytest.raises(ProtocolError) as info:
        parse_request_line(line)
    assert refusal(info.value) == (400, "H024")
    request_line = parse_request_line(line, Leniency(http09=True))
    assert request_line == RequestLine("GET", line[4:].decode(), "HTTP/0.9")


@pytest.mark.rule("H024")
@pytest.mark.parametrize("line", [b"POST /", b"get /", b"GET ", b"GET  /"])
def test_http_0_9_has_one_method(line: bytes) -> None:
    with pytest.raises(ProtocolError) as info:
        parse_request_line(line, DROPIN)
    assert refusal(info.value) == (400, "H013")


@pytest.mark.rule("H034")
@pytest.mark.parametrize(
    "target", [b"/\x80", b"/caf\xc3\xa9", b"/|", b'/"', b"/<a>", b"/\\", b"/^`{}", b"/a?b=|"]
)
def test_octets_that_a_uri_escapes_only_where_that_is_allowed(target: bytes) -> None:
    line = b"GET " + target + b" HTTP/1.1"
    with pytest.raises(ProtocolError) as info:
        parse_request_line(line)
    assert refusal(info.value) == (400, "H034")
    parsed = parse_request_line(line, Leniency(raw_target=True))
    assert parsed.target == target.decode("latin-1")


@pytest.mark.rule("H035")
@pytest.mark.parametrize("target", [b"/%", b"/%4", b"/%zz", b"/a?%"])
def test_a_broken_percent_escape_only_where_that_is_allowed(target: bytes) -> None:
    line = b"GET " + target + b" HTTP/1.1"
    with pytest.raises(ProtocolError, match="escape") as info:
        parse_request_line(line)
    assert info.value.status == 400
    assert parse_request_line(line, Leniency(raw_target=True)).target == target.decode()


def test_a_refusal_never_repeats_the_peer_s_bytes() -> None:
    for _, _, line in REFUSED_LINES:
        with pytest.raises(ProtocolError) as info:
            parse_request_line(line + b" \x1b[31mEvil")
        assert "Evil" not in str(info.value)


# --- The request target -----------------------------------------------------------------


@pytest.mark.rule("H025")
@pytest.mark.parametrize(
    ("method", "target", "parsed"),
    [
        ("GET", "/", Target("/")),
        ("GET", "/a/b?c=d?e", Target("/a/b", "c=d?e")),
        ("GET", "/?", Target("/")),
        ("GET", "//a//b", Target("//a//b")),
        ("GET", "/http://a/", Target("/http://a/")),
        ("OPTIONS", "*", Target("")),  # H033
        ("GET", "http://a", Target("/", "", "a", "http")),  # H029
        ("GET", "http://a/", Target("/", "", "a", "http")),
        ("GET", "http://a/b?c", Target("/b", "c", "a", "http")),
        ("GET", "http://a?b", Target("/", "b", "a", "http")),
        ("GET", "http://a?b/c", Target("/", "b/c", "a", "http")),
        ("GET", "HTTP://a:8080/b", Target("/b", "", "a:8080", "http")),
        ("GET", "https://[::1]:443/b", Target("/b", "", "[::1]:443", "https")),
        ("GET", "http://a:/", Target("/", "", "a:", "http")),
        ("OPTIONS", "http://a", Target("", "", "a", "http")),  # H029
        ("OPTIONS", "http://a/", Target("/", "", "a", "http")),
        ("OPTIONS", "http://a?b", Target("/", "b", "a", "http")),
    ],
)
def test_a_target(method: str, target: str, parsed: Target) -> None:
    assert parse_target(method, target) == parsed


@pytest.mark.rule("H037")
@pytest.mark.parametrize("scheme", ["http", "https", "HTTP", "HTTPS"])
@pytest.mark.parametrize("connection", ["http", "https"])
def test_a_target_has_the_scheme_of_the_connection(scheme: str, connection: str) -> None:
    target = f"{scheme}://a/b"
    parsed = Target("/b", "", "a", scheme.lower())
    assert parse_target("GET", target) == parsed
    if scheme.lower() == connection:
        assert parse_target("GET", target, connection) == parsed
        return
    with pytest.raises(ProtocolError) as caught:
        parse_target("GET", target, connection)
    assert (caught.value.rule, caught.value.status) == ("H037", 421)


@pytest.mark.rule("H025")
@pytest.mark.parametrize(
    ("rule", "status", "method", "target"),
    [
        ("H025", 400, "GET", "foo/bar"),
        ("H025", 400, "GET", ""),
        ("H025", 400, "GET", "?a"),
        ("H025", 400, "GET", "**"),
        ("H025", 400, "GET", "ftp://a/"),
        ("H025", 400, "GET", "s://]ufd/:"),
        ("H025", 400, "GET", "http:/a"),
        ("H032", 400, "GET", "example.com:443"),
        ("H025", 400, "OPTIONS", "*a"),
        ("H026", 400, "GET", "/a#b"),
        ("H026", 400, "OPTIONS", "*#"),
        ("H026", 400, "GET", "http://a/#b"),
        ("H028", 400, "GET", "http:///a"),
        ("H028", 400, "GET", "http://"),
        ("H028", 400, "GET", "http://:80/"),
        ("H028", 400, "GET", "http://a:b/"),
        ("H028", 400, "GET", "http://a:65536/"),
        ("H028", 400, "GET", "http://a:٣/"),
        ("H028", 400, "GET", "http://[::1/"),
        ("H028", 400, "GET", "http://a\\b/"),
        ("H028", 400, "OPTIONS", "http://"),
        ("H030", 400, "GET", "http://user@a/"),
        ("H030", 400, "GET", "http://user:password@a/"),
        ("H030", 400, "GET", "http://@a/"),
        ("H031", 400, "CONNECT", "/"),
        ("H031", 400, "CONNECT", "a"),
        ("H031", 400, "CONNECT", "a:"),
        ("H031", 400, "CONNECT", ":443"),
        ("H031", 400, "CONNECT", "a:65536"),
        ("H031", 400, "CONNECT", "user@a:443"),
        ("H031", 400, "CONNECT", "http://a:443/"),
        ("H031", 400, "CONNECT", "*"),
        ("H031", 501, "CONNECT", "a:443"),
        ("H031", 501, "CONNECT", "a:0"),
        ("H031", 501, "CONNECT", "[::1]:443"),
        ("H033", 400, "GET", "*"),
        ("H033", 400, "PRI", "*"),
        ("H033", 400, "options", "*"),
    ],
)
def test_a_target_that_is_refused(rule: str, status: int, method: str, target: str) -> None:
    with pytest.raises(ProtocolError) as info:
        parse_target(method, target)
    assert refusal(info.value) == (status, rule)


@pytest.mark.rule("H036")
@pytest.mark.parametrize(
    ("path", "decoded"),
    [
        ("/a", "/a"),
        ("/a%20b", "/a b"),
        ("/%41", "/A"),
        ("/%c3%A9", "/\xc3\xa9"),
        ("/\xc3%A9", "/\xc3\xa9"),
        ("/%2F", "//"[:1] + "/"),
        ("/%00", "/\x00"),
        ("/%", "/%"),
        ("/%zz%4", "/%zz%4"),
        ("/%2541", "/%41"),  # once
        ("", ""),
    ],
)
def test_a_path_is_decoded_once_into_code_points_of_octets(path: str, decoded: str) -> None:
    assert decode_path(path) == decoded


# --- Field lines ------------------------------------------------------------------------


@pytest.mark.rule("H043")
@pytest.mark.parametrize(
    ("line", "name", "value"),
    [
        (b"Host: a", "Host", "a"),
        (b"Host:a", "Host", "a"),
        (b"Host:", "Host", ""),
        (b"Host: \t ", "Host", ""),
        (b"Name: \t value \t ", "Name", "value"),
        (b"a: b \t c", "a", "b \t c"),
        (b"a::b:", "a", ":b:"),
        (b"X.Custom|Pipe: ok", "X.Custom|Pipe", "ok"),
        (b"!#$%&'*+-.^_`|~09: x", "!#$%&'*+-.^_`|~09", "x"),
        (b"a: caf\xc3\xa9\x80\xff", "a", "caf\xc3\xa9\x80\xff"),  # H050
        (b"a: \xa0b\xa0", "a", "\xa0b\xa0"),  # H046: not white space here
        (b"a: \x85", "a", "\x85"),
    ],
)
def test_a_field_line(line: bytes, name: str, value: str) -> None:
    assert parse_field_line(line) == (name, value)


@pytest.mark.rule("H043")
@pytest.mark.parametrize(
    ("rule", "line"),
    [
        ("H043", b""),
        ("H043", b"a"),
        ("H043", b"a b"),
        ("H044", b": a"),
        ("H044", b"a b: c"),
        ("H044", b"Fo@: a"),
        ("H044", b"a\x00b: c"),
        ("H044", b"a\rb: c"),
        ("H044", b"Content-Length\xc3\x9f: 3"),
        ("H044", b"\x0ba: b"),
        ("H045", b"a : b"),
        ("H045", b"a\t: b"),
        ("H045", b"Content-Length : 3"),
        ("H047", b" a: b"),
        ("H047", b"\ta: b"),
        ("H047", b" "),
        ("H047", b" : b"),
        ("H048", b"a: b\x00"),
        ("H048", b"a: b\rc"),
        ("H048", b"a: b\nc"),
        ("H048", b"a: \r"),
        ("H049", b"a: b\x07c"),
        ("H049", b"a: \x7f"),
        ("H049", b"a: \x0bb"),
        ("H049", b"a: b\x0c"),
    ],
)
def test_a_field_line_that_is_refused(rule: str, line: bytes) -> None:
    with pytest.raises(ProtocolError) as info:
        parse_field_line(line)
    assert refusal(info.value) == (400, rule)


@pytest.mark.rule("H051")
@pytest.mark.parametrize(
    ("line", "outcome"),
    [
        (b"a:" + b" " * 60_000 + b"\x00", "H048"),
        (b"a:" + b"x " * 30_000 + b"\x00", "H048"),
        (b"a:x" + b" " * 60_000 + b"\x00", "H048"),
        (b"a" * 60_000, "H043"),
        (b"a:" + b"\t " * 30_000, ("a", "")),
        (b"a:" + b"x " * 30_000, ("a", ("x " * 30_000).rstrip())),
    ],
    ids=["white space", "words", "white space behind", "name", "white space only", "value"],
)
def test_the_longest_lines_are_judged_like_short_ones(line: bytes, outcome: object) -> None:
    """That they take no longer for their length is measured in benchmarks/parse_lines.py."""
    found: object
    try:
        found = parse_field_line(line)
    except ProtocolError as fault:
        found = fault.rule
    assert found == outcome


# --- Host, and the fields of which there is one -----------------------------------------


@pytest.mark.rule("H038")
@pytest.mark.parametrize(
    ("version", "fields"),
    [
        ("HTTP/1.1", [("Host", "a")]),
        ("HTTP/1.1", [("hOST", "a:80")]),
        ("HTTP/1.1", [("Host", "")]),  # H041
        ("HTTP/1.1", [("Host", "[::1]:8000")]),
        ("HTTP/1.1", [("Host", "a:0")]),
        ("HTTP/1.1", [("Host", "a:65535")]),
        ("HTTP/1.1", [("Host", "a:")]),
        ("HTTP/1.0", []),  # H042
        ("HTTP/0.9", []),
        ("HTTP/1.1", [("Host", "a"), ("Accept", "x"), ("Accept", "y"), ("Cookie", "z")]),
        ("HTTP/1.1", [("Host", "a"), ("Content-Length", "1"), ("Content-Length", "1")]),  # H064
    ],
)
def test_fields_that_pass(version: str, fields: list[tuple[str, str]]) -> None:
    check_fields(version, fields)


@pytest.mark.rule("H038")
@pytest.mark.parametrize(
    ("rule", "version", "fields"),
    [
        ("H038", "HTTP/1.1", []),
        ("H038", "HTTP/1.2", [("Accept", "a")]),
        ("H039", "HTTP/1.1", [("Host", "a"), ("host", "a")]),
        ("H039", "HTTP/1.0", [("Host", "a"), ("Host", "b")]),
        ("H039", "HTTP/1.1", [("Host", ""), ("Host", "")]),
        ("H040", "HTTP/1.1", [("Host", "a b")]),
        ("H040", "HTTP/1.0", [("Host", "a/b")]),
        ("H040", "HTTP/1.1", [("Host", "http://a")]),
        ("H040", "HTTP/1.1", [("Host", ":80")]),
        ("H040", "HTTP/1.1", [("Host", "a:b")]),
        ("H040", "HTTP/1.1", [("Host", "a:65536")]),
        ("H040", "HTTP/1.1", [("Host", "a:" + "9" * 5000)]),
        ("H040", "HTTP/1.1", [("Host", "[::1")]),
        ("H030", "HTTP/1.1", [("Host", "user@a")]),
        *[
            ("H053", "HTTP/1.1", [("Host", "a"), (name, "x"), (name.upper(), "x")])
            for name in (
                "authorization",
                "content-type",
                "from",
                "if-modified-since",
                "if-unmodified-since",
                "max-forwards",
                "proxy-authorization",
                "referer",
                "user-agent",
            )
        ],
    ],
)
def test_fields_that_are_refused(rule: str, version: str, fields: list[tuple[str, str]]) -> None:
    with pytest.raises(ProtocolError) as info:
        check_fields(version, fields)
    assert refusal(info.value) == (400, rule)
