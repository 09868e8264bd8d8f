"""Field lines: their form, their octets, their size, and those of the same name: H043 to H059."""

import re
from collections.abc import Iterable
from typing import Final

from quaich.conformance.probe.judging import Broken, Probe, Untestable, describe, trial
from quaich.conformance.probe.trials.asking import (
    Environ,
    abc_chunk,
    get,
    ordinary,
    parse_environ,
    request,
    seen,
    send,
    text,
    told,
)
from quaich.conformance.probe.trials.refusing import control, refuse_each


def _get_environ(probe: Probe, *lines: bytes) -> bytes:
    """A GET of the program ``environ`` with these field lines."""
    return request(probe, b"GET %b HTTP/1.1" % probe.target("environ").encode(), *lines)


def _served(probe: Probe, what: str, *lines: bytes) -> Environ:
    """The environ of a request with these field lines, which has to be served."""
    environ = seen(probe, _get_environ(probe, *lines), what)
    if environ is None:
        raise Broken(f"{what} is refused")
    return environ


def _shown(octet: int) -> str:
    return f"0x{octet:02X}"


# --- The form of a line -------------------------------------------------------------------------


@trial("H043")
def line_without_a_colon(probe: Probe) -> str | None:
    """It is refused."""
    control(probe, get(probe, b"X-Note: one", b"X-More: two"))
    cases = [
        ("a line without a colon", get(probe, b"X-Note one", b"X-More: two")),
        ("a line of one word", get(probe, b"X-Note", b"X-More: two")),
        ("a last line without a colon", get(probe, b"X-More: two", b"X-Note one")),
    ]
    return refuse_each(probe, cases, 400)


@trial("H044")
def name_is_a_token(probe: Probe) -> str | None:
    """A name that is empty, or holds what no token does, is refused."""
    control(probe, get(probe, b"X-Note: one"))
    names = [b"", b"X Note", *(b"X%cNote" % octet for octet in b'"(),/;<=>?@[\\]{}')]
    names += [b"X%cNote" % octet for octet in b"\x00\x01\x0b\x1f\x7f\x80\xe9"]
    # What str.strip() takes off: octets that are white space in Unicode only.
    names += [b"X-Note\x85", b"X-Note\xa0", b"\xa0X-Note", b"X-Note\x0b", b"X-Note\x1c"]
    cases = [
        (f"the name {str(name)[2:-1] or '(none)'}", get(probe, name + b": one")) for name in names
    ]
    return refuse_each(probe, cases, 400)


@trial("H045")
def white_space_before_the_colon(probe: Probe) -> str | None:
    """It is answered with 400."""
    control(probe, get(probe, b"X-Note: one"))
    post = b"POST %b HTTP/1.1" % ordinary(probe)
    chunks = b"3\r\nabc\r\n0\r\n\r\n"
    cases = []
    for name, space in (("a space", b" "), ("a tab", b"\t")):
        cases += [
            (f"{name} behind X-Note", get(probe, b"X-Note%b: one" % space)),
            (f"{name} behind Host", get(probe, b"Host%b: %b" % (space, probe.client.authority))),
            (
                f"{name} behind Content-Length",
                request(probe, post, b"Content-Length%b: 3" % space) + b"abc",
            ),
            (
                f"{name} behind Transfer-Encoding",
                request(probe, post, b"Transfer-Encoding%b: chunked" % space) + chunks,
            ),
        ]
    return refuse_each(probe, cases, 400, must_answer=True)


@trial("H046")
def white_space_around_a_value(probe: Probe) -> str | None:
    """Spaces and tabs are taken off, and nothing else."""
    plain = _served(probe, "white space around a value", b"X-Note:  \t one two\t ")
    if text(plain, "HTTP_X_NOTE") != "one two":
        raise Broken(f"of ' \\t one two\\t ', {text(plain, 'HTTP_X_NOTE')!r} is left")
    bare = _served(probe, "a value right behind the colon", b"X-Note:one")
    if text(bare, "HTTP_X_NOTE") != "one":
        raise Broken(f"of 'one' right behind the colon, {text(bare, 'HTTP_X_NOTE')!r} is left")
    like = seen(probe, _get_environ(probe, b"X-Note: \xe9one\xe9"), "0xE9 in a value")
    if like is None or text(like, "HTTP_X_NOTE") != "\xe9one\xe9":
        # What H050 says. Which of them are kept at the ends cannot be seen then.
        raise Untestable("octets from 0x80 on do not reach the application as they are")
    for octet in b"\x85\xa0\x0b\x0c\x1c\x1f":
        what = f"{_shown(octet)} at the ends of a value"
        environ = seen(probe, _get_environ(probe, b"X-Note: %cone%c" % (octet, octet)), what)
        if environ is None:
            if octet >= 0x80:
                raise Broken(f"{what} is refused, and 0xE9 there is not")
            continue  # a control may be refused: H049
        note = text(environ, "HTTP_X_NOTE")
        if note != chr(octet) + "one" + chr(octet):
            raise Broken(f"with {what}, HTTP_X_NOTE is {note!r}")
    return None


@trial("H047")
def folded_line(probe: Probe) -> str | None:
    """It is refused, or joined with spaces."""
    control(probe, _get_environ(probe, b"X-Note: one"))
    came = []
    for name, space in (("a space", b" "), ("a tab", b"\t")):
        what = f"a line that goes on behind {name}"
        folded = b"X-Note: one\r\n%bX-Made: two" % space
        environ = seen(probe, _get_environ(probe, folded, b"X-More: x"), what)
        if environ is None:
            came.append(f"{name}: refused")
            continue
        note = text(environ, "HTTP_X_NOTE")
        if "HTTP_X_MADE" in environ:
            raise Broken(f"{what} is taken for another field")
        if note is None or not re.fullmatch("one[ \t]+X-Made: two", note):
            raise Broken(f"with {what}, HTTP_X_NOTE is {note!r}")
        came.append(f"{name}: joined")
    return ", ".join(came)


# --- The octets of a value ----------------------------------------------------------------------


@trial("H048")
def nul_and_cr_in_a_value(probe: Probe) -> str | None:
    """They are refused, or replaced with spaces."""
    control(probe, _get_environ(probe, b"X-Note: one two"))
    came = []
    for name, octet in (("NUL", b"\0"), ("CR", b"\r")):
        environ = seen(
            probe, _get_environ(probe, b"X-Note: one%btwo" % octet), f"{name} in a value"
        )
        note = None if environ is None else text(environ, "HTTP_X_NOTE")
        if environ is not None and note != "one two":
            raise Broken(f"with {name} in a value, HTTP_X_NOTE is {note!r}")
        came.append(f"{name} is {'refused' if environ is None else 'replaced'}")
    return ", ".join(came)


@trial("H049")
def other_controls_in_a_value(probe: Probe) -> str | None:
    """They are refused, or stay where they are."""
    control(probe, _get_environ(probe, b"X-Note: one two"))
    kept, wrong = [], []
    for octet in (*range(1, 9), 11, 12, *range(14, 32), 127):
        name = _shown(octet)
        line = b"X-Note: one%cX-Made: two" % octet
        environ = seen(probe, _get_environ(probe, line), f"{name} in a value")
        if environ is None:
            continue
        note = text(environ, "HTTP_X_NOTE")
        if note in (f"one{chr(octet)}X-Made: two", "one X-Made: two"):
            kept.append(name)
        else:
            wrong.append(f"with {name}, HTTP_X_NOTE is {note!r}")
    if wrong:
        raise Broken("; ".join(wrong))
    return f"kept: {', '.join(kept)}" if kept else "all refused"


@trial("H050")
def octets_from_0x80_on(probe: Probe) -> str | None:
    """They pass as they are."""
    for what, value in (
        ("'caf\\xe9'", b"caf\xe9"),
        ("'caf\\xc3\\xa9'", b"caf\xc3\xa9"),
        ("all octets from 0x80 on", b"a" + bytes(range(0x80, 0x100)) + b"z"),
    ):
        environ = _served(probe, f"a value of {what}", b"X-Note: " + value)
        note, wanted = text(environ, "HTTP_X_NOTE"), value.decode("latin-1")
        if note != wanted:
            raise Broken(f"with a value of {what}, HTTP_X_NOTE is {note!r}, not {wanted!r}")
    return None


# --- Size and number ----------------------------------------------------------------------------

_LINE_SIZES: Final = (1000, 4000, 8000, 16_000, 33_000, 66_000, 132_000, 300_000)
_LINE_COUNTS: Final = (50, 100, 200, 500, 1000, 3000)


@trial("H051")
def fields_that_are_large_or_many(probe: Probe) -> str | None:
    """They come whole, or are answered with 4xx."""
    faces = {
        "a line of {} octets": ([b"X-N: " + b"x" * (size - 5)] for size in _LINE_SIZES),
        "{} lines": ([b"X-N%d: %d" % (n, n) for n in range(count)] for count in _LINE_COUNTS),
        "{} lines of 2000 octets": (
            [b"X-N%d: " % n + b"x" * 2000 for n in range(count)] for count in _LINE_COUNTS[:3]
        ),
    }
    came = []
    for face, series in faces.items():
        came.append(_first_refused(probe, face, series))
    return "; ".join(came)


def _first_refused(probe: Probe, face: str, series: Iterable[list[bytes]]) -> str:
    """More and more fields until they are refused: how that is said."""
    largest = "no limit was found"
    for lines in series:
        what = face.format(len(lines[0]) if len(lines) == 1 else len(lines))
        response = send(probe, _get_environ(probe, *lines), what)
        if response.status // 100 == 4:
            return f"{what}: {describe(response)}"
        environ = parse_environ(response)
        if response.status != 200 or environ is None:
            raise Broken(f"{what}: {describe(response)}, not 4xx")
        for line in lines:
            name, _, value = line.decode().partition(": ")
            got = text(environ, f"HTTP_{name.replace('-', '_')}")
            if got != value:
                how = "is missing" if got is None else f"has {len(got)} characters of {len(value)}"
                raise Broken(f"of {what}, {name} {how}")
        largest = f"{what}: whole"
    return largest


# --- Lines of the same name ---------------------------------------------------------------------


@trial("H052")
def lines_of_a_list(probe: Probe) -> str | None:
    """They are joined: all of them, in their order, with commas."""
    values = ["text/html", "text/plain;q=0.5", "*/*;q=0.1"]
    lines = [b"Accept: " + value.encode() for value in values]
    for what, fields in (
        ("three lines of Accept", lines),
        ("three lines of Accept with others between", [lines[0], b"X-Note: x", *lines[1:]]),
    ):
        environ = _served(probe, what, *fields)
        accept = text(environ, "HTTP_ACCEPT") or ""
        if [each.strip() for each in accept.split(",")] != values:
            raise Broken(f"of {what}, HTTP_ACCEPT is {accept!r}")
    return None


@trial("H053")
def lines_of_what_is_no_list(probe: Probe) -> str | None:
    """They are not joined, and those of Cookie are joined with a semicolon."""
    control(probe, _get_environ(probe, b"Cookie: a=1", b"Authorization: Basic YTpi"))
    wrong, came = [], []
    for name, variable, values in (
        ("Content-Type", "CONTENT_TYPE", ("text/html", "text/plain")),
        ("Authorization", "HTTP_AUTHORIZATION", ("Basic YTpi", "Basic Yzpk")),
    ):
        lines = [f"{name}: {value}".encode() for value in values]
        environ = seen(probe, _get_environ(probe, *lines), f"two lines of {name}")
        value = None if environ is None else text(environ, variable)
        if value is not None and all(each in value for each in values):
            wrong.append(f"of two lines of {name}, {variable} is {value!r}")
        came.append(f"{name}: {'refused' if environ is None else repr(value)}")
    environ = seen(
        probe, _get_environ(probe, b"Cookie: a=1", b"Cookie: b=2"), "two lines of Cookie"
    )
    cookie = None if environ is None else text(environ, "HTTP_COOKIE")
    if environ is not None and not re.fullmatch("a=1; ?b=2", cookie or ""):
        wrong.append(f"of 'a=1' and 'b=2' in two lines of Cookie, HTTP_COOKIE is {cookie!r}")
    if wrong:
        raise Broken("; ".join(wrong))
    return "; ".join([*came, f"Cookie: {'refused' if environ is None else repr(cookie)}"])


# --- Lists, white space and quoted strings --------------------------------------------------------


@trial("H054")
def empty_members_of_a_list(probe: Probe) -> str | None:
    """They are ignored."""
    data = get(probe)
    normal = control(probe, data)
    for value in (b"close", b", close", b"close,,", b" ,\t, close ,"):
        what = f"'Connection: {value.decode()}'"
        with probe.client.connect() as connection:
            connection.send(get(probe, b"Connection: " + value))
            response = connection.response()
            # Not whether it is closed in time: an idle connection is closed soon, too.
            connection.send(data)
            stays = bool(connection.response(seconds=1.0))
        if value == b"close" and stays:
            raise Untestable("the connection stays open with 'Connection: close' itself")
        if response.status != normal.status:
            raise Broken(f"a request with {what} is {told(response)}")
        if stays:
            raise Broken(f"the connection stays open with {what}")
    return None


def _read_chunks(probe: Probe, plain: bytes, cases: dict[str, bytes]) -> None:
    """Each of the cases has to be read as a chunk with the plain extension is."""
    for line in (b"3", plain):
        response = probe.client.ask(abc_chunk(probe, line))
        if response.status != 200 or response.content != b"abc":
            came = f"{describe(response)} and {response.content[:20]!r}"
            raise Untestable(f"to a chunk that begins with '{line.decode()}', {came} comes")
    for what, line in cases.items():
        response = probe.client.ask(abc_chunk(probe, line))
        if response.status != 200:
            raise Broken(f"a chunk extension with {what} is {told(response)}")
        if response.content != b"abc":
            raise Broken(f"with {what} in its extension, a chunk is read as {response.content!r}")


@trial("H055")
def white_space_in_a_chunk_extension(probe: Probe) -> str | None:
    """Spaces and tabs around ";" and "=" mean nothing."""
    cases = {
        "a space before ';'": b"3 ;note=one",
        "a space behind ';'": b"3; note=one",
        "spaces around '='": b"3;note = one",
        "tabs and spaces everywhere": b"3 \t;\tnote\t= one",
    }
    _read_chunks(probe, b"3;note=one", cases)
    return None


@trial("H056")
def backslash_in_a_quoted_string(probe: Probe) -> str | None:
    """What follows it stands for itself."""
    cases = {
        "an escaped quotation mark": b'3;note="one\\"; two"',
        "an escaped backslash": b'3;note="one\\\\"',
        "an escaped letter": b'3;note="\\one"',
    }
    _read_chunks(probe, b'3;note="one"', cases)
    return None


# --- Names that mean something elsewhere ----------------------------------------------------------


@trial("H057")
def underscore_in_a_name(probe: Probe) -> str | None:
    """No field with an underscore becomes the variable of one with a hyphen."""
    guarded, other = b"X-User: alice", b"X_User: root"
    came = set()
    for what, lines in (
        ("X_User behind X-User", [guarded, other]),
        ("X_User in front of X-User", [other, guarded]),
        ("X_User alone", [other]),
    ):
        environ = seen(probe, _get_environ(probe, *lines), what)
        if environ is None:
            came.add("refused")
            continue
        user = text(environ, "HTTP_X_USER")
        if "root" in (user or ""):
            raise Broken(f"with {what}, HTTP_X_USER is {user!r}")
        if guarded in lines and user != "alice":
            raise Broken(f"with {what}, HTTP_X_USER is {user!r}, not 'alice'")
        came.add("dropped or renamed")
    return ", ".join(sorted(came))


@trial("H058")
def unknown_field(probe: Probe) -> str | None:
    """It reaches the application."""
    environ = _served(probe, "a field X-Colour", b"X-Colour: blue", b"Tint: pale")
    for name, wanted in (("HTTP_X_COLOUR", "blue"), ("HTTP_TINT", "pale")):
        if text(environ, name) != wanted:
            raise Broken(f"{name} is {text(environ, name)!r}, not {wanted!r}")
    _served(probe, "a field with a name of all the characters of a token", b"X!#$%&'*+-.^`|~9: one")
    _served(probe, "a field with an empty value", b"X-Colour:")
    return None


@trial("H059")
def field_proxy(probe: Probe) -> str | None:
    """It does not become HTTP_PROXY."""
    value = "http://proxy.probe.example:3128"
    for name in (b"Proxy", b"proxy"):
        line = b"%b: %b" % (name, value.encode())
        environ = seen(probe, _get_environ(probe, line), "a field Proxy")
        # Some servers have the variables of their process in the environ, HTTP_PROXY among them.
        if environ is not None and value in (text(environ, "HTTP_PROXY") or ""):
            raise Broken(f"the field Proxy becomes HTTP_PROXY: {text(environ, 'HTTP_PROXY')!r}")
    return None
