"""What went wrong in other servers: each case is refused, or harmless, and the table says which.

The identifiers are those of the advisories, or the issue's number where there is none. The
inputs are files of tests/corpus, whose verdicts stand in its expected.toml.
"""

from pathlib import Path
from typing import NamedTuple

import pytest

from protocol.connection import BASE, read_connection
from protocol.corpora import EXPECTED, read_case
from protocol.wire import singly
from quaich.exchange.response import check_headers, check_status
from quaich.protocol.http1 import HeadLimits

LIMITS = HeadLimits()


class Row(NamedTuple):
    """``ids``: those of one defect; ``server`` had it, ``what`` it was.

    Shown by ``refused`` and ``harmless``, files of the corpus; by ``tests``, files of this
    directory's parent; or by ``why``: the reason why it cannot be here.
    """

    ids: str
    server: str
    what: str
    refused: tuple[str, ...] = ()
    harmless: tuple[str, ...] = ()
    tests: tuple[str, ...] = ()
    why: str = ""


HERE = ("protocol/test_cves.py",)
NO_DEBUGGER = "there is no debugger: an exception's text goes to the log, not to the client"
NO_SOCKETS = "protocol/ has neither sockets nor threads"
NO_FILES = "no path of a request becomes a path of a file"

ROWS = [
    Row("CVE-2018-1000164", "gunicorn", "CR and LF in a header of the application", tests=HERE),
    Row("SNYK-541164", "gunicorn", "length and chunks", refused=("H071-length-and-chunked",)),
    Row(
        "CVE-2024-1135 GHSA-w3h3-4rj7-4ph4",
        "gunicorn",
        "several codings, of which chunked is not the last",
        refused=(
            "H068-chunked-and-gzip-on-two-lines",
            "H068-chunked-and-identity",
            "H069-chunked-twice-on-four-lines",
            "H067-identity-and-chunked",
        ),
    ),
    Row(
        "CVE-2024-6827 GHSA-hc5x-x2vx-497g",
        "gunicorn",
        "an unknown coding ignored, and the length used",
        refused=("H071-length-and-unknown-coding", "H067-pigeons", "H067-chunkedchunked"),
    ),
    Row(
        "gunicorn#3091",
        "gunicorn",
        "white space of Unicode stripped from names",
        refused=(
            "H044-no-break-space-behind-name",
            "H044-no-break-space-before-name",
            "H044-next-line-behind-name",
        ),
    ),
    Row(
        "gunicorn#3364",
        "gunicorn",
        "controls in front of chunked",
        refused=("H049-controls-before-chunked",),
    ),
    Row(
        "gunicorn#3382",
        "gunicorn",
        "a body that is cut off behind its last chunk taken for whole",
        refused=("H091-no-end-of-trailers",),
    ),
    Row(
        "gunicorn#3366",
        "gunicorn",
        "two Host or Content-Type lines",
        refused=("H039-two-hosts", "H053-two-content-types"),
    ),
    Row(
        "CVE-2019-16785",
        "waitress",
        "a bare LF for a line end",
        refused=("H003-only-bare-lf", "H003-bare-lf-hides-a-field", "H003-bare-lf-between-fields"),
    ),
    Row(
        "CVE-2019-16786",
        "waitress",
        "gzip, chunked ignored, and the length used",
        refused=("H071-length-and-gzip-and-chunked", "H066-gzip-and-chunked-on-one-line"),
    ),
    Row(
        "CVE-2019-16792",
        "waitress",
        "two lengths make none",
        refused=("H064-two-lengths", "H064-list-of-equal-lengths"),
    ),
    Row(
        "CVE-2019-16789",
        "waitress",
        "special white space around chunked",
        refused=("H049-vertical-tab-before-chunked", "H049-form-feed-behind-chunked"),
    ),
    Row(
        "CVE-2020-5236",
        "waitress",
        "a long value with a control at its end, by backtracking",
        refused=("H049-long-value-and-a-control",),
    ),
    Row(
        "CVE-2022-24761",
        "waitress",
        "numbers that int() takes, and extensions that nobody looks at",
        refused=(
            "H062-plus-1",
            "H062-underscore",
            "H080-prefix-0x",
            "H080-underscore",
            "H084-bare-cr-in-extension",
            "H084-open-quotation",
        ),
    ),
    Row(
        "CVE-2022-31015",
        "waitress",
        "a thread closes the socket that another one polls",
        why=NO_SOCKETS,
    ),
    Row(
        "CVE-2024-49768 GHSA-9298-4cf8-g4wj",
        "waitress",
        "the request behind a bad one is run",
        refused=("H109-request-behind-a-bad-one",),
    ),
    Row(
        "CVE-2024-49769 GHSA-3f84-rpwh-47g6",
        "waitress",
        "a client that closes at once makes an endless loop",
        why=NO_SOCKETS,
    ),
    Row(
        "waitress#464 waitress#465",
        "waitress",
        "chunked twice decoded; the connection kept behind length and chunks",
        refused=("H069-chunked-twice", "H071-length-and-chunked"),
    ),
    Row(
        "cheroot#275 cheroot#737",
        "cheroot",
        "length and chunks; of two lengths the last",
        refused=("H071-length-and-chunked", "H064-two-lengths"),
    ),
    Row(
        "CVE-2018-7490",
        "uWSGI",
        "..%2f leaves the document root",
        harmless=("H036-escaped-slashes-and-dots",),
        why=NO_FILES,
    ),
    Row("CVE-2018-6758", "uWSGI", "a path that overflows a buffer", tests=HERE),
    Row(
        "CVE-2020-11984",
        "mod_proxy_uwsgi",
        "a field that overflows a packet",
        tests=HERE,
    ),
    Row(
        "CVE-2023-27522",
        "mod_proxy_uwsgi",
        "special characters in a header of the origin's response",
        tests=HERE,
    ),
    Row(
        "CVE-2023-41419 GHSA-x7m3-jprg-wc5g",
        "gevent",
        "bad trailers are left to be the next request",
        refused=("H043-request-for-a-trailer", "H088-folded-trailer"),
    ),
    Row(
        "gevent#2075",
        "gevent",
        "a body behind Expect is read as the next request",
        tests=(*HERE, "simple_server/test_drain.py"),
    ),
    Row("CVE-2016-10516", "werkzeug", "a script in the debugger's page", why=NO_DEBUGGER),
    Row("CVE-2019-14806", "werkzeug", "the debugger's PIN is known", why=NO_DEBUGGER),
    Row(
        "CVE-2020-28724",
        "werkzeug",
        "//evil becomes another site's address",
        harmless=("H025-two-slashes",),
    ),
    Row(
        "CVE-2022-29361",
        "werkzeug",
        "a body that is not read becomes the next request",
        harmless=("H060-content-is-another-request",),
        tests=("simple_server/test_hostile.py",),
    ),
    Row(
        "CVE-2023-23934",
        "werkzeug",
        "a cookie without a name gets one of its value",
        harmless=("H058-nameless-cookie",),
        why="Cookie is handed on as it came",
    ),
    Row(
        "CVE-2023-25577 CVE-2023-46136",
        "werkzeug",
        "the parts of a multipart body",
        why="bodies are handed on as they came; multipart is the application's",
    ),
    Row("CVE-2024-34069", "werkzeug", "the debugger obeys another site", why=NO_DEBUGGER),
    Row(
        "CVE-2024-49766 CVE-2025-66221 GHSA-87hc-h4r5-73f7",
        "werkzeug",
        "names that Windows gives a meaning",
        why=NO_FILES,
    ),
    Row(
        "CVE-2026-42544",
        "granian",
        "a value that is not ASCII ends the process",
        harmless=("H050-obs-text-in-sec-websocket-protocol",),
    ),
    Row("CVE-2026-42545", "granian", "a bad header of the application ends it", tests=HERE),
    Row(
        "CVE-2022-2255",
        "mod_wsgi",
        "a field that anyone can send stands for the client's address",
        harmless=("H058-forwarded-fields",),
    ),
    Row("CVE-2020-7658", "meinheld", "length and chunks", refused=("H071-length-and-chunked",)),
    Row(
        "CVE-2020-7694",
        "uvicorn",
        "escapes of a terminal in the log",
        refused=("H034-terminal-escape-in-target",),
        harmless=("H036-escaped-terminal-escape",),
        tests=("simple_server/test_log.py",),
    ),
    Row("CVE-2020-7695", "uvicorn", "CR and LF in a header of the response", tests=HERE),
    Row(
        "CVE-2026-0865 gh-144370 gh-150726",
        "CPython",
        "controls in names, values and the status; not looked for with -O",
        tests=(*HERE, "handlers/test_optimized.py"),
    ),
    Row(
        "CVE-2020-10108 CVE-2020-10109",
        "twisted.web",
        "two lengths; length and chunks",
        refused=("H064-two-lengths", "H071-length-and-chunked"),
    ),
    Row(
        "CVE-2023-46137",
        "twisted.web",
        "answers out of order",
        harmless=("H108-two-requests",),
    ),
    Row(
        "CVE-2016-1000110",
        "CGI programs",
        "Proxy becomes HTTP_PROXY",
        harmless=("H059-proxy",),
    ),
]


def test_each_row_says_by_what_it_is_shown() -> None:
    ids = [identifier for row in ROWS for identifier in row.ids.split()]
    assert len(ids) == len(set(ids))
    files = Path(__file__).parents[1]
    for row in ROWS:
        assert row.refused or row.harmless or row.tests or row.why, row.ids
        assert all((files / name).exists() for name in row.tests), row.ids


@pytest.mark.parametrize(("ids", "name"), [(row.ids, name) for row in ROWS for name in row.refused])
def test_refused(ids: str, name: str) -> None:
    data, verdict = read_case(name), EXPECTED[name]["strict"]
    for blocks in ([data], singly(data)):
        outcome = read_connection(blocks)
        # "incomplete" is an error once the peer stops.
        assert outcome.verdict == verdict
        assert verdict == "incomplete" or verdict[0] in "45"
        # No other request comes of it.
        assert len(outcome.messages) <= 1


# What becomes of each message: some of its variables (None: it has no such), and its content.
HARMLESS: dict[str, list[dict[str, str | None]]] = {
    "H025-two-slashes": [{"PATH_INFO": "//evil.example/..", "HTTP_HOST": "a"}],
    "H036-escaped-slashes-and-dots": [{"PATH_INFO": "/../../../etc/passwd"}],
    "H036-escaped-terminal-escape": [
        {"PATH_INFO": "/\x1b[31mred\r\nX: y", "REQUEST_URI": "/%1b[31mred%0d%0aX:%20y"}
    ],
    "H050-obs-text-in-sec-websocket-protocol": [{"HTTP_SEC_WEBSOCKET_PROTOCOL": "caf\xc3\xa9"}],
    "H058-forwarded-fields": [
        {
            "REMOTE_ADDR": BASE["REMOTE_ADDR"],
            "HTTP_REMOTE_ADDR": "127.0.0.1",
            "HTTP_X_CLIENT_IP": "127.0.0.1",
            "HTTP_X_FORWARDED_FOR": "127.0.0.1",
        }
    ],
    "H058-nameless-cookie": [{"HTTP_COOKIE": "=__Host-x=y"}],
    "H059-proxy": [{"HTTP_PROXY": None, "PROXY": None}],
    "H060-content-is-another-request": [
        {"content": EXPECTED["H060-content-is-another-request"]["content"]}
    ],
    "H108-two-requests": [{"PATH_INFO": "/first"}, {"PATH_INFO": "/second"}],
}


@pytest.mark.parametrize(
    ("ids", "name"),
    [
        pytest.param(row.ids, name, marks=pytest.mark.rule(name[:4]))
        for row in ROWS
        for name in row.harmless
    ],
)
def test_harmless(ids: str, name: str) -> None:
    data = read_case(name)
    outcome = read_connection([data])
    assert outcome == read_connection(singly(data))
    assert outcome.verdict == "ok"
    for message, expected in zip(outcome.messages, HARMLESS[name], strict=True):
        found = {**message.variables, "content": message.content.decode("latin-1")}
        assert {key: found.get(key) for key in expected} == expected


@pytest.mark.rule("H095")
def test_a_request_in_a_content_that_is_waited_for_is_content() -> None:
    inner = b"GET /evil HTTP/1.1\r\nHost: a\r\n\r\n"
    head = b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n"
    outcome = read_connection(singly(head % len(inner) + inner))
    [message] = outcome.messages
    assert (outcome.verdict, message.awaits_continue, message.content) == ("ok", True, inner)


# --- Too large -------------------------------------------------------------------------------


@pytest.mark.rule("H019")
@pytest.mark.parametrize("size", [LIMITS.request_line, 200_000])
def test_a_target_of_any_length_is_refused_by_its_limit(size: int) -> None:
    data = b"GET /" + b"../" * (size // 3) + b" HTTP/1.1\r\nHost: a\r\n\r\n"
    for blocks in ([data], [data[:100], data[100:9000], data[9000:]]):
        assert read_connection(blocks).verdict == "414 H019"


@pytest.mark.rule("H051")
@pytest.mark.parametrize("size", [LIMITS.field_size, 200_000])
def test_a_field_of_any_length_is_refused_by_its_limit(size: int) -> None:
    data = b"GET / HTTP/1.1\r\nHost: a\r\nX-Overflow: " + b"x" * size + b"\r\n\r\n"
    for blocks in ([data], [data[:100], data[100:9000], data[9000:]]):
        assert read_connection(blocks).verdict == "431 H051"


# --- The application's side ------------------------------------------------------------------


@pytest.mark.rule("H118")
@pytest.mark.parametrize(
    "header",
    [
        ("X-A", "b\r\nSet-Cookie: evil=1"),
        ("X-A", "b\nSet-Cookie: evil=1"),
        ("X-A", "b\rSet-Cookie: evil=1"),
        ("X-A", "\x00"),
        ("X-A", "\x1b[31m"),
        ("X-A", "b\x7f"),
        ("X-A\r\nSet-Cookie", "evil=1"),
        ("X-A\n", "b"),
        ("X-A\x00", "b"),
    ],
)
def test_a_header_with_a_control_character_does_not_go_out(header: tuple[str, str]) -> None:
    with pytest.raises(ValueError, match="Control characters"):
        check_headers([("X-B", "sound"), header])


@pytest.mark.rule("H118")
@pytest.mark.parametrize(
    "header", [("X A", "b"), ("X-A:", "b"), ("X-\xe9", "b"), ("X-A", "\u20ac")]
)
def test_a_header_that_no_field_line_can_be_does_not_go_out(header: tuple[str, str]) -> None:
    with pytest.raises(AssertionError):
        check_headers([header])


@pytest.mark.rule("H117")
@pytest.mark.parametrize("status", ["200 OK\r\nX: y", "200 OK\n", "200 \x00", "200 OK\x1b[31m"])
def test_a_status_with_a_control_character_does_not_go_out(status: str) -> None:
    with pytest.raises(ValueError, match="Control characters"):
        check_status(status)
