"""The access log of the server: what a line says, what nobody can make it say, and how lines
get to their file."""

import errno
import io
import json
import logging
import os
import re
import select
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, TextIO

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from quaich.server.logs import access_format
from quaich.server.logs.access_format import FORMATS, Entry, compile_format, user_of
from quaich.server.logs.access_log import BUFFER_MAX, FLUSH_SIZE, AccessLog

ENVIRON: dict[str, Any] = {
    "REQUEST_METHOD": "GET",
    "PATH_INFO": "/a b",
    "QUERY_STRING": "x=1&y=2",
    "CONTENT_TYPE": "text/plain",
    "HTTP_HOST": "example.com",
    "HTTP_REFERER": "http://example.com/",
    "HTTP_USER_AGENT": "curl/8.0 (x)",
    "HTTP_X_REQUEST_ID": "abc",
    "wsgi.url_scheme": "https",
    "wsgi.multithread": True,
    "myapp.userId": 7,
}

ENTRY = Entry(
    remote_addr="203.0.113.7",
    user="frank",
    time=1795226268.25,
    method="GET",
    target="/a%20b?x=1&y=2",
    protocol="HTTP/1.1",
    status="200 OK",
    headers=[("Content-Type", "text/html"), ("X-Cache", "one"), ("x-cache", "two")],
    environ=ENVIRON,
    size=1234,
    duration=1.234567,
    pid=42,
)

# A request whose head made no sense: hardly anything is known.
NOTHING = Entry("", None, 1795226268.25, None, None, None, None, [], {}, 0, 0.0, 42)


@pytest.fixture
def zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Sets the local time zone, for one test."""

    def set_zone(name: str) -> None:
        monkeypatch.setenv("TZ", name)
        time.tzset()
        monkeypatch.setattr(access_format, "_last", (-1, "", ""))

    yield set_zone
    monkeypatch.undo()
    time.tzset()


def render(text: str, entry: Entry = ENTRY) -> str:
    return compile_format(text)(entry)


def with_environ(**variables: Any) -> Entry:
    return ENTRY._replace(environ=ENVIRON | variables)


# --- Atoms ------------------------------------------------------------------------------


def test_combined_is_what_gunicorn_writes_by_default(zone: Callable[[str], None]) -> None:
    zone("UTC")
    expected = (
        "203.0.113.7 - frank [21/Nov/2026:01:57:48 +0000]"
        ' "GET /a%20b?x=1&y=2 HTTP/1.1" 200 1234 "http://example.com/" "curl/8.0 (x)"'
    )
    assert render("combined") == expected
    assert render("default") == expected
    assert render('%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s"') == expected


def test_common_has_neither_referer_nor_user_agent() -> None:
    assert render("combined") == render("common") + ' "http://example.com/" "curl/8.0 (x)"'


@pytest.mark.parametrize(
    ("atom", "text"),
    [
        ("h", "203.0.113.7"),
        ("l", "-"),
        ("u", "frank"),
        ("r", "GET /a%20b?x=1&y=2 HTTP/1.1"),
        ("m", "GET"),
        ("U", "/a b"),
        ("q", "x=1&y=2"),
        ("H", "HTTP/1.1"),
        ("s", "200"),
        ("B", "1234"),
        ("b", "1234"),
        ("f", "http://example.com/"),
        ("a", "curl/8.0 (x)"),
        ("T", "1"),
        ("D", "1234567"),
        ("M", "1234"),
        ("L", "1.234567"),
        ("p", "<42>"),
        ("{X-Request-ID}i", "abc"),
        ("{x-request-id}i", "abc"),
        ("{content-type}i", "text/plain"),
        ("{Content-type}o", "text/html"),
        ("{X-Cache}o", "two"),
        ("{wsgi.url_scheme}e", "https"),
        ("{REQUEST_METHOD}e", "GET"),
        ("{request_method}e", "GET"),
        ("{myapp.userId}e", "7"),
        ("{wsgi.multithread}e", "True"),
        ("{x-none}i", "-"),
        ("{x-none}o", "-"),
        ("{NONE}e", "-"),
    ],
)
def test_atoms_mean_what_they_mean_to_gunicorn(atom: str, text: str) -> None:
    assert render(f'"%({atom})s"') == f'"{text}"'


@pytest.mark.parametrize("atom", ["h", "u", "r", "m", "U", "q", "H", "s", "f", "a", "{x}i", "{x}o"])
def test_what_is_missing_is_a_dash(atom: str) -> None:
    assert render(f"%({atom})s", NOTHING) == "-"


def test_an_empty_variable_is_there() -> None:
    entry = with_environ(EMPTY="")
    assert render('"%({EMPTY}e)s"', entry) == '""'


@pytest.mark.parametrize("duration", [0.0, 0.0000004, 0.000001, 59.9999996, 86400.5])
def test_a_duration_is_the_same_in_every_unit(duration: float) -> None:
    line = render("%(T)s %(M)s %(D)s %(L)s", ENTRY._replace(duration=duration))
    seconds, milliseconds, microseconds = (int(word) for word in line.split()[:3])
    assert microseconds == round(duration * 1e6)
    assert (seconds, milliseconds) == (microseconds // 1_000_000, microseconds // 1000)
    assert line.split()[3] == f"{seconds}.{microseconds % 1_000_000:06d}"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("UTC", "[21/Nov/2026:01:57:48 +0000]"),
        ("IST-5:30", "[21/Nov/2026:07:27:48 +0530]"),
        ("NST+3:30", "[20/Nov/2026:22:27:48 -0330]"),
    ],
)
def test_the_date_is_in_the_local_zone(zone: Callable[[str], None], name: str, text: str) -> None:
    zone(name)
    assert render("%(t)s") == text


def test_the_date_has_english_months_and_changes_with_the_second(
    zone: Callable[[str], None],
) -> None:
    zone("UTC")
    line = compile_format("%(t)s")
    dates = [line(ENTRY._replace(time=month * 2629800.0)) for month in range(12)]
    assert "".join(date[4:7] for date in dates) == "JanJanMarAprMayJunJulAugSepOctNovDec"
    assert line(ENTRY._replace(time=59.999)) == "[01/Jan/1970:00:00:59 +0000]"
    assert line(ENTRY._replace(time=60.0)) == "[01/Jan/1970:00:01:00 +0000]"


def test_a_percent_sign_is_written_twice() -> None:
    assert render("100%% %(m)s %%(m)s") == "100% GET %(m)s"


def test_letters_of_the_format_itself_are_written_as_they_are(tmp_path: Path) -> None:
    log = AccessLog(str(tmp_path / "log"), "→\t%(m)s\udcff")
    log.write(ENTRY)
    log.close()
    assert (tmp_path / "log").read_bytes() == "→\tGET".encode() + b"\xff\n"


# --- Who the user is --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environ", "user"),
    [
        ({}, None),
        ({"REMOTE_USER": "anna"}, "anna"),
        ({"REMOTE_USER": "anna", "HTTP_AUTHORIZATION": "Basic YjpjCg=="}, "anna"),
        ({"REMOTE_USER": "", "HTTP_AUTHORIZATION": "Basic YjpjCg=="}, "b"),
        ({"HTTP_AUTHORIZATION": "bAsIc  YjpjCg== "}, "b"),
        ({"HTTP_AUTHORIZATION": "Basic w7w6YQ=="}, "ü"),  # UTF-8
        ({"HTTP_AUTHORIZATION": "Basic /DphYg=="}, "ü"),  # Latin-1
        ({"HTTP_AUTHORIZATION": "Basic OnNlY3JldA=="}, None),  # no name
        ({"HTTP_AUTHORIZATION": "Basic c2VjcmV0"}, None),  # no colon: is it a name at all?
        ({"HTTP_AUTHORIZATION": "Basic"}, None),
        ({"HTTP_AUTHORIZATION": "Basic A"}, None),
        ({"HTTP_AUTHORIZATION": "Basic \xff"}, None),
        ({"HTTP_AUTHORIZATION": "Bearer YjpjCg=="}, None),
        ({"HTTP_AUTHORIZATION": None, "REMOTE_USER": None}, None),
        ({"REMOTE_USER": 7}, "7"),
    ],
)
def test_who_the_user_is(environ: dict[str, Any], user: str | None) -> None:
    assert user_of(environ) == user


# --- What an application may have put into the environ ----------------------------------


class Liar(str):
    """A string that shows another text than it holds."""

    def __str__(self) -> str:
        return 'x" 200 0\n'

    __format__ = __repr__ = lambda self, *args: str(self)  # type: ignore[assignment]


class Thrower:
    def __str__(self) -> str:
        raise RuntimeError


FORMS = ["combined", "json", '{"a": "%(a)s", "f": %(f)s}', '%(a)s "%(a)s" %({referer}i)s']


@pytest.mark.parametrize("text", FORMS)
@pytest.mark.parametrize("value", [None, 7, b"bytes", ["list"], Thrower(), Liar("é")])
def test_a_line_can_be_made_whatever_the_application_left(text: str, value: Any) -> None:
    entry = with_environ(HTTP_USER_AGENT=value, HTTP_REFERER=value, HTTP_HOST=value)
    line = render(text, entry)
    assert "\n" not in line
    assert "200 0" not in line
    if text.startswith("{") or text == "json":
        json.loads(line)


def test_a_strange_status_is_none() -> None:
    for status in ("", "2", "99 X", "099 X", "²00 X", "1٣٣", "-20", "1e5"):
        assert render("%(s)s", ENTRY._replace(status=status)) == "-"
        assert json.loads(render("json", ENTRY._replace(status=status)))["status"] is None


# --- Nobody forges a line ---------------------------------------------------------------

SETTINGS = settings(
    derandomize=True,
    deadline=None,
    database=None,
    max_examples=100,
    suppress_health_check=[HealthCheck.too_slow],
)
TEXT = st.text(
    st.one_of(
        st.sampled_from('" \\\n\r\t\x00\x1b\x7f\x85\xa0[]{}%,:xus2\u2028\ufeff'),
        st.characters(max_codepoint=0xFF),
        st.characters(),
    ),
    max_size=12,
)
ENTRIES = st.builds(
    lambda user, method, target, protocol, field, referer, agent: Entry(
        "203.0.113.7", user, 1795226268.25, method, target, protocol, "200 OK",
        [("X-Field", field)],
        {"PATH_INFO": target, "QUERY_STRING": target, "HTTP_REFERER": referer,
         "HTTP_USER_AGENT": agent, "HTTP_HOST": agent},
        7, 0.5, 42,
    ),
    st.none() | TEXT, TEXT, TEXT, TEXT, TEXT, TEXT, TEXT,
)  # fmt: skip


def unescape(text: str) -> str:
    """The value of a field, by the rule that the module states."""
    return re.sub(
        r"\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8}))",
        lambda match: chr(int(match[1] or match[2] or match[3], 16)),
        text,
    )


@SETTINGS
@given(ENTRIES)
def test_a_text_gives_one_line_whose_fields_hold_the_exact_values(entry: Entry) -> None:
    line = render('%(h)s %(l)s %(u)s %(m)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s"', entry)
    assert re.fullmatch("[ -~]*", line)
    fields = re.fullmatch(r'(\S+) - (\S+) (\S+) "([^"]*)" (\S+) (\S+) "([^"]*)" "([^"]*)"', line)
    assert fields is not None
    assert [unescape(field) for field in fields.groups()] == [
        entry.remote_addr,
        entry.user or "-",
        entry.method or "-",
        f"{entry.method} {entry.target} {entry.protocol}",
        "200",
        "7",
        entry.environ["HTTP_REFERER"],
        entry.environ["HTTP_USER_AGENT"],
    ]


@SETTINGS
@given(ENTRIES)
def test_without_quotes_there_are_as_many_words_as_there_should_be(entry: Entry) -> None:
    line = render("%(u)s %(U)s?%(q)s %(r)s %({x-field}o)s %(a)s", entry)
    words = line.split(" ")
    assert len(words) == 7
    assert all(words)
    assert re.fullmatch("[ -~]*", line)


@SETTINGS
@given(ENTRIES)
@example(NOTHING)
def test_json_parses_and_gives_the_exact_values(entry: Entry) -> None:
    line = render("json", entry)
    assert re.fullmatch("[ -~]*", line)
    assert json.loads(line) == {
        "time": "2026-11-21T01:57:48.250000+00:00",
        "remote_addr": entry.remote_addr or None,
        "user": entry.user,
        "method": entry.method,
        "target": entry.target,
        "protocol": entry.protocol,
        "status": 200 if entry.status else None,
        "bytes": entry.size,
        "duration": entry.duration,
        "referer": entry.environ.get("HTTP_REFERER"),
        "user_agent": entry.environ.get("HTTP_USER_AGENT"),
        "host": entry.environ.get("HTTP_HOST"),
        "pid": 42,
    }


@SETTINGS
@given(ENTRIES)
@example(NOTHING)
def test_a_format_of_ones_own_in_json_parses_and_gives_the_exact_values(entry: Entry) -> None:
    line = render(
        '{"u": "%(u)s", "r": "%(m)s\\n%(U)s", "q":%(q)s, "s": %(s)s, "b": %(b)s,'
        ' "L": %(L)s, "a": %(a)s, "o": ["%({x-field}o)s", %({x-field}o)s], "t": %(t)s}',
        entry,
    )
    assert re.fullmatch("[ -~]*", line)
    fields = dict(entry.headers)
    environ = entry.environ
    # Numbers as they are written: a client's may have more digits than a float shows.
    got = json.loads(line, parse_int=str, parse_float=str)
    assert got.pop("t").startswith("[2")
    assert got == {
        "u": "-" if entry.user is None else entry.user,
        "r": f"{'-' if entry.method is None else entry.method}\n{environ.get('PATH_INFO', '-')}",
        "q": environ.get("QUERY_STRING"),
        "s": "200" if entry.status else None,
        "b": str(entry.size),
        "L": f"{entry.duration:.6f}",
        "a": environ.get("HTTP_USER_AGENT"),
        "o": [fields.get("X-Field", "-"), fields.get("X-Field")],
    }


def test_every_code_point_of_latin_1_is_printable_ascii_or_an_escape() -> None:
    for code in range(256):
        is_plain = 0x20 <= code < 0x7F and chr(code) not in '"\\'
        expected = chr(code) if is_plain else f"\\x{code:02x}"
        assert render('"%(a)s"', with_environ(HTTP_USER_AGENT=chr(code))) == f'"{expected}"'


@pytest.mark.parametrize("character", ['"', "\\", "\n", "\x7f", "\x9b", "é", "č", "😀"])
@pytest.mark.parametrize("form", ['"%(a)s"', "%(a)s", '{"a": "%(a)s"}', '{"a": %(a)s}'])
def test_one_character_is_enough_for_an_escape(form: str, character: str) -> None:
    """All the rest of the line is in order."""
    line = render(form, with_environ(HTTP_USER_AGENT=f"a{character}z"))
    assert re.fullmatch("[ -~]*", line)
    if form.startswith("{"):
        assert json.loads(line) == {"a": f"a{character}z"}
    else:
        assert unescape(line.strip('"')) == f"a{character}z"
        assert '"' not in line.strip('"')


def test_a_quote_inside_a_string_of_json_does_not_end_it() -> None:
    line = render('{"a": "\\"%(a)s\\\\", "b": ["\\\\\\"%(s)s"]}')
    assert json.loads(line) == {"a": '"curl/8.0 (x)\\', "b": ['\\"200']}
    assert render('"\\" %(a)s" %(a)s') == '"\\" curl/8.0 (x)" curl/8.0\\x20(x)'


def test_the_space_is_escaped_outside_quotes_only() -> None:
    assert render('%(a)s "%(a)s"') == 'curl/8.0\\x20(x) "curl/8.0 (x)"'


def test_the_query_may_be_empty() -> None:
    entry = with_environ(QUERY_STRING="")
    assert render("%(U)s?%(q)s", entry) == "/a\\x20b?"


def test_numbers_without_quotes_are_json_numbers_and_keep_their_value() -> None:
    line = compile_format('{"v": %(a)s}')
    for text, value in [
        ("0", 0),
        ("12", 12),
        ("0.250", 0.25),
        ("007", "007"),
        ("-1", "-1"),
        ("1e999", "1e999"),
        ("NaN", "NaN"),
        ("٣", "٣"),
        ("9" * 15, 999999999999999),
        ("9" * 16, "9" * 16),
        ("1\n", "1\n"),
    ]:
        assert json.loads(line(with_environ(HTTP_USER_AGENT=text))) == {"v": value}


# --- Formats that are none --------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("%(x)s", ["'%(x)s'", "%("]),
        ("%(P)s", ["'%(P)s'", "%(p)s"]),
        ("%(status)s", ["'%(status)s'", "%(s)s"]),
        ("%(user_agent)s", ["'%(user_agent)s'", "%(a)s"]),
        ("%(x-request-id)s", ["%({x-request-id}i)s"]),
        ("%(HTTP_HOST)s", ["%({HTTP_HOST}e)s"]),
        ("%({Host}x)s", ["%({Host}i)s"]),
        ("%({}i)s", ["'%({}i)s'"]),
        ("%h", ["'%h'", "%(h)s"]),
        ("%(h)d", ["'%(h)d'", "%(h)s"]),
        ("%(h)", ["'%(h)'", "%(h)s"]),
        ("%(h)s 50% off", ["%%"]),
        ("%(h)s %", ["%%"]),
        ("%(h)s %(", ["%%"]),
        ("jsn", ["'jsn'", "json"]),
        ("nothing", [*FORMATS]),
        ("", [*FORMATS]),
        ("%(h)s\n%(a)s", ["one line"]),
        ("%(h)s\x1b[0m", ["one line"]),
        ("%(h)s\x85", ["one line"]),
        ('{"a": "%(h)s}', ["JSON"]),
        ('{"a": "%(h)s"', ["JSON"]),
        ('{"a": "\\%(h)s"}', ["JSON"]),
        ('{"a": "\\u00%(h)s"}', ["JSON"]),
        ('{"a": -%(s)s}', ["JSON"]),
        ('{"a": 1%(B)s}', ["JSON"]),
        ('{%(h)s: "%(s)s"}', ["JSON"]),
    ],
)
def test_what_is_no_format_is_refused_in_one_line(text: str, words: list[str]) -> None:
    with pytest.raises(ValueError, match=re.escape(words[0])) as raised:
        compile_format(text)
    message = str(raised.value)
    assert all(word in message for word in words)
    assert message.isprintable()


@pytest.mark.parametrize("name", FORMATS)
def test_every_name_is_a_format(name: str) -> None:
    assert "203.0.113.7" in render(name)


# --- The file ---------------------------------------------------------------------------


class Writes:
    """Stands for ``os.write``: notes what is written, and does what it is told to.

    ``script``: for each call, how many bytes are taken at most, or what is raised; when it is
    at its end, all is taken. ``meanwhile``: what other threads do during a call.
    """

    def __init__(self) -> None:
        self.script: list[int | OSError] = []
        self.blocks: list[bytes] = []
        self.meanwhile: Callable[[], None] = lambda: None

    def __call__(self, descriptor: int, data: bytes) -> int:
        self.meanwhile()
        step = self.script.pop(0) if self.script else len(data)
        if isinstance(step, OSError):
            raise step
        self.blocks.append(bytes(data[:step]))
        return len(self.blocks[-1])


@pytest.fixture
def writes(monkeypatch: pytest.MonkeyPatch) -> Writes:
    writes = Writes()
    monkeypatch.setattr(os, "write", writes)
    return writes


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "access.log"


FULL = OSError(errno.ENOSPC, "No space left on device")


def numbered(number: int) -> Entry:
    return ENTRY._replace(target=f"/{number}")


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "quaich.error"]


def test_lines_are_written_by_one_call_when_the_loop_flushes(path: Path, writes: Writes) -> None:
    log = AccessLog(str(path), "%(r)s")
    for number in range(200):
        log.write(numbered(number))
    assert writes.blocks == []
    log.flush()
    assert writes.blocks == [b"".join(b"GET /%d HTTP/1.1\n" % number for number in range(200))]
    log.flush()
    assert len(writes.blocks) == 1


def test_a_full_buffer_does_not_wait_for_the_loop(path: Path) -> None:
    log = AccessLog(str(path), "%(r)s")
    line = len(compile_format("%(r)s")(ENTRY)) + 1
    for _ in range(FLUSH_SIZE // line):
        log.write(ENTRY)
    assert path.stat().st_size == 0
    log.write(ENTRY)
    assert path.stat().st_size >= FLUSH_SIZE
    log.close()


def test_lines_are_added_to_the_file_and_it_is_no_program(path: Path) -> None:
    for _ in range(2):
        log = AccessLog(str(path), "%(m)s")
        log.write(ENTRY)
        log.close()
    assert path.read_text() == "GET\nGET\n"
    assert path.stat().st_mode & 0o111 == 0


def test_the_caller_hears_of_a_file_that_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=re.escape(tmp_path.name)):
        AccessLog(str(tmp_path), "common")
    with pytest.raises(ValueError, match="nearest"):
        AccessLog(str(tmp_path / "log"), "%(x)s")
    assert list(tmp_path.iterdir()) == []


def test_threads_neither_mix_nor_lose_lines(path: Path) -> None:
    log = AccessLog(str(path), "%(m)s %(U)s end")
    start = threading.Barrier(5)

    def work(name: int) -> None:
        entries = [
            ENTRY._replace(method=f"T{name}", environ={"PATH_INFO": f"{number}" + "x" * 300})
            for number in range(300)
        ]
        start.wait()
        for entry in entries:
            log.write(entry)
            if name == 0:
                log.flush()

    threads = [threading.Thread(target=work, args=(name,)) for name in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log.close()
    lines = path.read_text().splitlines()
    for name in range(5):
        mine = [line for line in lines if line.startswith(f"T{name} ")]
        assert mine == [f"T{name} {number}{'x' * 300} end" for number in range(300)]
    assert len(lines) == 1500


def test_after_close_nothing_is_written(path: Path) -> None:
    log = AccessLog(str(path), "%(r)s")
    log.write(numbered(1))
    log.close()
    log.write(numbered(2))
    log.flush()
    log.close()
    assert path.read_text() == "GET /1 HTTP/1.1\n"


# --- Another file under the same name ---------------------------------------------------


def test_reopen_goes_on_in_a_new_file(path: Path) -> None:
    log = AccessLog(str(path), "%(r)s")
    log.write(numbered(1))
    path.rename(path.with_suffix(".1"))
    log.reopen()
    log.write(numbered(2))
    log.close()
    assert path.with_suffix(".1").read_text() == "GET /1 HTTP/1.1\n"
    assert path.read_text() == "GET /2 HTTP/1.1\n"


def test_a_reopen_that_fails_keeps_the_old_file(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = AccessLog(str(path), "%(r)s")
    path.rename(path.with_suffix(".1"))
    path.mkdir()
    log.reopen()
    log.write(numbered(1))
    log.close()
    assert path.with_suffix(".1").read_text() == "GET /1 HTTP/1.1\n"
    assert len(errors(caplog)) == 1
    assert "opened" in errors(caplog)[0]


def test_the_rest_of_a_line_does_not_begin_a_file(path: Path, writes: Writes) -> None:
    """What follows the first part would pass for a line, and may be a client's text."""
    log = AccessLog(str(path), "%(r)s")
    log.write(numbered(1))
    log.write(numbered(2))
    writes.script = [7, FULL, FULL]
    log.flush()
    log.reopen()
    assert writes.blocks == [b"GET /1 ", b"GET /2 HTTP/1.1\n"]
    log.close()


def test_a_whole_line_that_the_old_file_did_not_take_is_the_new_ones(
    path: Path, writes: Writes
) -> None:
    log = AccessLog(str(path), "%(r)s")
    log.write(numbered(1))
    log.write(numbered(2))
    writes.script = [16, FULL, FULL]
    log.flush()
    log.reopen()
    assert writes.blocks == [b"GET /1 HTTP/1.1\n", b"GET /2 HTTP/1.1\n"]
    log.close()


def test_a_line_is_torn_only_until_the_rest_of_it_is_written(path: Path, writes: Writes) -> None:
    log = AccessLog(str(path), "%(r)s")
    log.write(numbered(1))
    writes.script = [7, FULL]
    log.flush()
    log.flush()
    log.write(numbered(2))
    writes.script = [FULL]
    log.reopen()
    assert b"".join(writes.blocks) == b"GET /1 HTTP/1.1\nGET /2 HTTP/1.1\n"
    log.close()


def test_a_torn_line_is_dropped_once(path: Path, writes: Writes) -> None:
    log = AccessLog(str(path), "%(r)s")
    for number in range(3):
        log.write(numbered(number))
    writes.script = [7, FULL, FULL]
    log.reopen()
    writes.script = [FULL]
    log.reopen()
    assert b"".join(writes.blocks) == b"GET /0 GET /1 HTTP/1.1\nGET /2 HTTP/1.1\n"
    log.close()


def test_no_descriptor_is_left_open(path: Path) -> None:
    def first_free() -> int:
        descriptor = os.open(os.devnull, os.O_RDONLY)
        os.close(descriptor)
        return descriptor

    before = first_free()
    log = AccessLog(str(path), "%(r)s")
    for _ in range(3):
        log.reopen()
    log.close()
    assert first_free() == before


# --- A file that takes nothing, or little -----------------------------------------------


def test_short_writes_are_continued(path: Path, writes: Writes) -> None:
    log = AccessLog(str(path), "%(r)s")
    log.write(numbered(1))
    writes.script = [1, 2, 3]
    log.flush()
    assert writes.blocks == [b"G", b"ET", b" /1", b" HTTP/1.1\n"]
    log.close()


def test_a_full_disk_is_reported_once_and_lines_wait_for_room(
    path: Path, writes: Writes, caplog: pytest.LogCaptureFixture
) -> None:
    log = AccessLog(str(path), "%(r)s")
    log.write(numbered(1))
    writes.script = [4, FULL, FULL, FULL]
    log.flush()
    log.write(numbered(2))
    log.flush()
    log.flush()
    (message,) = errors(caplog)
    assert str(path) in message
    assert "No space left" in message
    log.flush()
    assert b"".join(writes.blocks) == b"GET /1 HTTP/1.1\nGET /2 HTTP/1.1\n"
    assert errors(caplog)[1:] == [f"the access log {path} is written again; lines lost: 0"]
    log.close()


def test_lines_keep_their_order_when_others_come_meanwhile(path: Path, writes: Writes) -> None:
    log = AccessLog(str(path), "%(r)s")
    log.write(numbered(1))
    writes.script = [FULL]
    writes.meanwhile = lambda: log.write(numbered(2))
    log.flush()
    writes.meanwhile = lambda: None
    log.flush()
    assert writes.blocks == [b"GET /1 HTTP/1.1\nGET /2 HTTP/1.1\n"]
    log.close()


def test_lines_beyond_what_is_kept_are_lost_and_counted(
    path: Path, writes: Writes, caplog: pytest.LogCaptureFixture
) -> None:
    log = AccessLog(str(path), "%(U)s")
    entry = ENTRY._replace(environ={"PATH_INFO": "x" * 65535})
    writes.script = [FULL] * 100
    for _ in range(BUFFER_MAX // 65536 + 3):
        log.write(entry)
    assert len(writes.script) == 99, "one request found out; the others do not try again"
    writes.script.clear()
    log.flush()
    assert len(b"".join(writes.blocks)) == BUFFER_MAX
    assert errors(caplog)[-1].endswith("written again; lines lost: 3")
    log.write(entry)
    log.close()
    assert len(b"".join(writes.blocks)) == BUFFER_MAX + 65536
    assert len(errors(caplog)) == 2


def test_close_says_what_was_lost(
    path: Path, writes: Writes, caplog: pytest.LogCaptureFixture
) -> None:
    log = AccessLog(str(path), "%(r)s")
    for number in range(3):
        log.write(numbered(number))
    writes.script = [20, FULL]
    log.close()
    assert errors(caplog)[-1] == f"the access log {path} is closed; lines lost: 2"


def test_a_handler_of_the_error_log_that_raises_does_no_harm(
    path: Path, writes: Writes, capsys: pytest.CaptureFixture[str]
) -> None:
    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise ValueError

    handler = Handler()
    logging.getLogger("quaich.error").addHandler(handler)
    try:
        log = AccessLog(str(path), "%(r)s")
        log.write(ENTRY)
        writes.script = [FULL]
        log.flush()
        log.close()
    finally:
        logging.getLogger("quaich.error").removeHandler(handler)
    assert b"".join(writes.blocks) == b"GET /a%20b?x=1&y=2 HTTP/1.1\n"


# --- stdout -----------------------------------------------------------------------------


def test_stdout_has_what_the_program_wrote_before(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with path.open("w") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        print("hello")
        log = AccessLog("-", "%(m)s")
        log.write(ENTRY)
        log.flush()
        assert path.read_text() == "hello\nGET\n"
        log.close()
        print("goodbye", flush=True)
    assert path.read_text() == "hello\nGET\ngoodbye\n"


def test_closing_stdout_does_not_lead_lines_elsewhere(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The number of its descriptor is the next connection's."""
    stream = path.open("w")
    monkeypatch.setattr(sys, "stdout", stream)
    log = AccessLog("-", "%(m)s")
    stream.close()
    with path.with_suffix(".other").open("w"):
        log.write(ENTRY)
        log.close()
    assert path.with_suffix(".other").read_text() == ""
    assert path.read_text() == "GET\n"


def test_stdout_without_a_descriptor_is_written_as_a_stream(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stdout", stream)
    log = AccessLog("-", "%(m)s")
    log.write(ENTRY)
    assert stream.getvalue() == ""
    log.flush()
    assert stream.getvalue() == "GET\n"
    stream.close()
    for _ in range(2):
        log.write(ENTRY)
        log.flush()
    assert len(errors(caplog)) == 1
    log.close()


@pytest.mark.parametrize("closed", [False, True])
def test_without_stdout_there_is_no_log_and_no_fault(
    closed: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stream = io.StringIO()
    stream.close()
    monkeypatch.setattr(sys, "stdout", stream if closed else None)
    log = AccessLog("-", "%(m)s")
    assert errors(caplog) == ["there is no standard output for the access log"]
    log.write(ENTRY)
    log.flush()
    log.close()
    assert len(errors(caplog)) == 1


def test_reopen_takes_the_stdout_that_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = io.StringIO(), io.StringIO()
    monkeypatch.setattr(sys, "stdout", first)
    log = AccessLog("-", "%(r)s")
    log.write(numbered(1))
    monkeypatch.setattr(sys, "stdout", second)
    log.reopen()
    log.write(numbered(2))
    log.close()
    assert (first.getvalue(), second.getvalue()) == ("GET /1 HTTP/1.1\n", "GET /2 HTTP/1.1\n")


class Pipe(NamedTuple):
    """A pipe that does not block."""

    reader: BinaryIO
    stdout: TextIO


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    os.set_blocking(reader, False)
    with os.fdopen(reader, "rb", 0) as source, os.fdopen(writer, "w") as stdout:
        yield Pipe(source, stdout)


def log_to(stdout: Any, format: str, monkeypatch: pytest.MonkeyPatch) -> AccessLog:
    # In the test itself: pytest has a stdout of its own for each of a test's phases.
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", stdout)
        return AccessLog("-", format)


def test_a_pipe_gets_whole_lines(
    pipe: Pipe, monkeypatch: pytest.MonkeyPatch, writes: Writes
) -> None:
    """Another process may write into the same pipe, and comes between two calls."""
    log = log_to(pipe.stdout, "%(r)s", monkeypatch)
    for number in range(1000):
        log.write(numbered(number))
    log.flush()
    assert all(len(block) <= select.PIPE_BUF for block in writes.blocks)
    assert all(block.endswith(b"\n") for block in writes.blocks)
    assert len(writes.blocks) < 10
    text = b"".join(writes.blocks).decode()
    assert text == "".join(f"GET /{number} HTTP/1.1\n" for number in range(1000))
    log.close()


def test_a_line_longer_than_a_pipe_takes_at_once_is_written_all_the_same(
    pipe: Pipe, monkeypatch: pytest.MonkeyPatch, writes: Writes
) -> None:
    log = log_to(pipe.stdout, "%(U)s", monkeypatch)
    log.write(ENTRY._replace(environ={"PATH_INFO": "x" * 3 * select.PIPE_BUF}))
    log.flush()
    assert b"".join(writes.blocks) == b"x" * 3 * select.PIPE_BUF + b"\n"
    log.close()


def test_a_pipe_that_is_full_is_tried_again_later(
    pipe: Pipe, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    log = log_to(pipe.stdout, "%(U)s", monkeypatch)
    entry = ENTRY._replace(environ={"PATH_INFO": "x" * 1000})
    for _ in range(200):
        log.write(entry)
    log.flush()
    got = b""
    for _ in range(200):
        block = pipe.reader.read(65536)
        if block is None:
            log.flush()
        else:
            got += block
        if len(got) == 200 * 1001:
            break
    assert got == (b"x" * 1000 + b"\n") * 200
    assert errors(caplog) == []
    log.close()


def test_a_pipe_that_nobody_reads_is_reported_once_when_lines_are_lost(
    pipe: Pipe, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    log = log_to(pipe.stdout, "%(U)s", monkeypatch)
    entry = ENTRY._replace(environ={"PATH_INFO": "x" * 65535})
    for _ in range(BUFFER_MAX // 65536 + 5):
        log.write(entry)
    log.flush()
    log.flush()
    assert len(errors(caplog)) == 1
    log.close()
    assert "lines lost" in errors(caplog)[-1]


def test_a_pipe_whose_reader_is_gone_is_reported_once(
    pipe: Pipe, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pipe.reader.close()
    log = log_to(pipe.stdout, "%(r)s", monkeypatch)
    for _ in range(3):
        log.write(ENTRY)
        log.flush()
    (message,) = errors(caplog)
    assert "Broken pipe" in message
    log.close()
