"""What servers make of the content of requests: its framing by Content-Length and
Transfer-Encoding (H060 to H079). Chunks have a file of their own."""

import gzip
from collections.abc import Iterable

from quaich.conformance.probe.judging import Broken, Probe, Untestable, describe, trial
from quaich.conformance.probe.trials.asking import (
    CHUNKED,
    HELLO_CHUNKS,
    answer,
    behind,
    echo,
    post,
    word,
)
from quaich.conformance.probe.trials.refusing import (
    converse,
    must_end,
    must_not_look_whole,
    must_not_serve,
    need_chunks,
    need_content,
    refuse_framing,
)
from quaich.conformance.probe.wire import Response


def _echo(probe: Probe, *lines: bytes) -> bytes:
    """The head of a request whose application gives back what it reads."""
    return post(probe, probe.target("echo"), *lines)


def _refuse_lines(
    probe: Probe,
    fields: Iterable[tuple[bytes, ...]],
    content: bytes,
    *codes: int,
    may_drop: bool = True,
) -> str:
    """Each of these sets of field lines has to be refused."""
    cases = ((" and ".join(map(_shown, lines)), _echo(probe, *lines) + content) for lines in fields)
    return refuse_framing(probe, need_content, cases, *codes, may_drop=may_drop)


def _shown(line: bytes) -> str:
    return line.decode("ascii", "backslashreplace")


@trial("H060")
def content_by_the_fields(probe: Probe) -> str | None:
    """Content is framed by Content-Length whatever the method, and absent without."""
    for method in ("GET", "POST", "DELETE", "OPTIONS", "PROBE"):
        head = probe.client.head(method, probe.target("echo"), b"Content-Length: 5")
        came = converse(probe, head + b"hello" + behind(probe), 2, method)
        what = f"{method} with 5 bytes of content"
        if not came.first:
            raise Broken(f"{what} is answered with {describe(came.first)}")
        if came.first.status >= 400 and method != "POST":
            # Methods may be refused, and so may content without a meaning.
            if came.behind and came.behind[0].status >= 400:
                raise Broken(f"behind {what}, a sound request gets {describe(came.behind[0])}")
            continue
        if came.first.status != 200 or came.first.content != b"hello":
            raise Broken(
                f"{what} is answered with {describe(came.first)}, and the content that the "
                f"application gives back is {came.first.content[:40]!r}"
            )
        _next_is_sound(came.behind, what)
    return None


def _next_is_sound(came: tuple[Response, ...], what: str) -> None:
    """The request behind another is answered, or the connection has been closed before it."""
    if not came:
        return
    if came[0].content != b"behind":
        raise Broken(f"behind {what}, a sound request gets {describe(came[0])}")
    if len(came) > 1:
        raise Broken(f"{what} and a request behind it bring three responses")


@trial("H061")
def no_fields_no_content(probe: Probe) -> str | None:
    """An application that reads to the end gets it at once if there is no content."""
    for lines in ((), (b"C: 7",), (b"Content-Len: 7",), (b"X-Content-Length: 7",)):
        what = "POST without Content-Length" + "".join(f", with {line.decode()}" for line in lines)
        response = probe.client.ask(_echo(probe, *lines), "POST")
        if not response:
            raise Broken(
                f"{what} is not answered: the application waits for the end of an input that is "
                "empty"
            )
        if response.status == 411:
            return "answered with 411"
        if response.status != 200 or response.content:
            raise Broken(
                f"{what} is answered with {describe(response)}, and the application has read "
                f"{response.content[:40]!r}"
            )
    return None


@trial("H062")
def lengths_are_digits(probe: Probe) -> str | None:
    """A Content-Length that is not ASCII digits is answered with 400."""
    ten = b"0123456789"
    return refuse_framing(
        probe,
        need_content,
        (
            (f"Content-Length {value!r}", _echo(probe, b"Content-Length: " + value) + content)
            for value, content in (
                (b"+3", b"abc"),
                (b"-3", b"abc"),
                (b"0x3", b"abc"),
                (b"1_0", ten),
                (b"3 4", b"abc"),
                (b"3.0", b"abc"),
                (b"3;", b"abc"),
                (b"three", b"abc"),
                (b"\x0b3", b"abc"),
                ("٣".encode(), b"abc"),
                (b"\xb2", b"ab"),
                (b"", b""),
            )
        ),
        400,
        may_drop=False,
    )


@trial("H063")
def huge_lengths(probe: Probe) -> str | None:
    """A length that would be small if it overflowed is not served as small."""
    need_content(probe)
    for text in (str(2**32 + 3), str(2**64 + 3), "9" * 40, "9" * 5000):
        request = _echo(probe, b"Content-Length: " + text.encode())
        shown = text if len(text) < 50 else f"of {len(text)} digits"
        must_not_serve(probe, request + b"abc" + behind(probe), f"Content-Length {shown}")
    return "waited for, or refused"


@trial("H064")
def one_length_only(probe: Probe) -> str | None:
    """Lengths that differ are answered with 400; equal ones are refused or count once."""
    several = (
        (b"Content-Length: 3", b"Content-Length: 30"),
        (b"Content-Length: 30", b"Content-Length: 3"),
        (b"Content-Length: 3, 30",),
        (b"Content-Length: 3", b"X-Between: 1", b"content-length: 4"),
    )
    _refuse_lines(probe, several, b"abc", 400, may_drop=False)
    for lines in ((b"Content-Length: 3", b"Content-Length: 3"), (b"Content-Length: 3, 3",)):
        shown = " and ".join(line.decode() for line in lines)
        came = converse(probe, _echo(probe, *lines) + b"abc" + behind(probe), 2)
        if came.first.status == 200:
            if came.first.content != b"abc":
                raise Broken(f"with {shown}, the application reads {came.first.content[:40]!r}")
            _next_is_sound(came.behind, shown)
        elif came.first.status // 100 == 4 or (not came.responses and came.ended):
            must_end(came, shown)
        else:
            raise Broken(f"{shown} is answered with {describe(came.first)}")
    return None


@trial("H065")
def chunks_are_understood(probe: Probe) -> str | None:
    """A body in chunks arrives at the application, decoded."""
    request = echo(probe, b"5\r\nhello\r\nA\r\n, chunks!\n\r\n0\r\n\r\n")
    response = probe.client.ask(request, "POST")
    if response.status == 411:
        return "refused with 411, which is allowed"
    if response.status != 200 or response.content != b"hello, chunks!\n":
        raise Broken(
            f"a body in chunks is answered with {describe(response)}; the application has read "
            f"{response.content[:60]!r}"
        )
    return None


@trial("H066")
def codings_are_a_list(probe: Probe) -> str | None:
    """The name of a coding counts in any case, and several lines are one list."""
    need_chunks(probe)
    for value in (b"Chunked", b"CHUNKED"):
        request = _echo(probe, b"Transfer-Encoding: " + value) + HELLO_CHUNKS
        response = probe.client.ask(request, "POST")
        if response.content != b"hello":
            raise Broken(f"Transfer-Encoding: {value.decode()} brings {describe(response)}")
    one = _echo(probe, b"Transfer-Encoding: gzip, chunked") + HELLO_CHUNKS
    two = _echo(probe, b"Transfer-Encoding: gzip", CHUNKED) + HELLO_CHUNKS
    for_one, for_two = probe.client.ask(one, "POST"), probe.client.ask(two, "POST")
    if for_one.status != for_two.status:
        raise Broken(
            f"gzip and chunked on one line bring {describe(for_one)}, on two lines "
            f"{describe(for_two)}"
        )
    return None


@trial("H067")
def unknown_codings(probe: Probe) -> str | None:
    """A coding that nobody knows is answered with 501."""
    lines = ((b"Transfer-Encoding: x-probe, chunked",),)
    return _refuse_lines(probe, lines, HELLO_CHUNKS, 501, may_drop=False)


@trial("H068")
def chunked_is_last(probe: Probe) -> str | None:
    """A list of codings that does not end with chunked is refused."""
    values = (
        b"chunked, gzip",
        b"chunked, x-probe",
        b"xchunked",
        b"chunked-x",
        b"\x0bchunked",
        b"chunked\x1c",
    )
    # 501: a server that does not know the coding may say that first, by H067.
    lines = ((b"Transfer-Encoding: " + value,) for value in values)
    return _refuse_lines(probe, lines, HELLO_CHUNKS, 400, 501, may_drop=False)


@trial("H069")
def chunked_once(probe: Probe) -> str | None:
    """Chunked that is applied twice is refused, on one line and on two."""
    lines = ((b"Transfer-Encoding: chunked, chunked",), (CHUNKED, CHUNKED))
    return _refuse_lines(probe, lines, HELLO_CHUNKS, 400, 501)


@trial("H070")
def chunked_has_no_parameters(probe: Probe) -> str | None:
    """A parameter of chunked is an error."""
    values = (b"chunked;q=1", b"chunked; foo=bar", b"chunked;")
    lines = ((b"Transfer-Encoding: " + value,) for value in values)
    return _refuse_lines(probe, lines, HELLO_CHUNKS)


@trial("H071")
def both_framings(probe: Probe) -> str | None:
    """With both fields, the request is refused or the chunks count; the connection closes."""
    need_content(probe)
    length = b"Content-Length: %d" % len(HELLO_CHUNKS)
    for lines in ((CHUNKED, length), (length, CHUNKED), (b"Content-Length: 3", CHUNKED)):
        shown = " with ".join(line.decode() for line in lines)
        request = _echo(probe, *lines) + HELLO_CHUNKS
        came = converse(probe, request + behind(probe), 2)
        if not came.responses and not came.ended:
            raise Broken(f"{shown} is neither answered nor is the connection closed")
        if came.first and came.first.status < 400 and came.first.content != b"hello":
            raise Broken(
                f"with {shown}, Content-Length counts: the application reads "
                f"{came.first.content[:40]!r}"
            )
        must_end(came, shown)
    # A coding that is not understood is no reason to go back to the length.
    lines = (b"Transfer-Encoding: x-probe", b"Content-Length: 5")
    _refuse_lines(probe, (lines,), b"hello")
    return None


@trial("H072")
def chunks_in_http_1_0(probe: Probe) -> str | None:
    """Transfer-Encoding in HTTP/1.0 makes the request the last of its connection."""
    keep = b"Connection: keep-alive"
    for lines in ((CHUNKED,), (CHUNKED, b"Content-Length: 5")):
        shown = f"HTTP/1.0 with {' and '.join(line.decode() for line in lines)}"
        request = post(probe, probe.target("hello"), keep, *lines, version="1.0") + HELLO_CHUNKS
        came = converse(probe, request + word(probe, "behind", keep, version="1.0"), 2)
        if not came.responses and not came.ended:
            raise Broken(f"{shown} is neither answered nor is the connection closed")
        must_end(came, shown)
    return None


@trial("H073")
def identity_is_no_coding(probe: Probe) -> str | None:
    """The coding ``identity`` is refused like any unknown one."""
    return refuse_framing(
        probe,
        need_content,
        (
            (f"Transfer-Encoding: {value}", _echo(probe, line) + content)
            for value, content in (
                ("identity", b""),
                ("identity, chunked", HELLO_CHUNKS),
                ("chunked, identity", HELLO_CHUNKS),
            )
            for line in [f"Transfer-Encoding: {value}".encode()]
        ),
        400,
        501,
    )


@trial("H074")
def compressed_content(probe: Probe) -> str | None:
    """Compressed content is decoded or refused, and never handed on as it came."""
    need_content(probe)
    packed = gzip.compress(b"hello, compressed", mtime=0)
    content = b"%x\r\n%b\r\n0\r\n\r\n" % (len(packed), packed)
    request = _echo(probe, b"Transfer-Encoding: gzip, chunked") + content
    came = converse(probe, request, 1)
    if came.first.status == 200 and came.first.content == b"hello, compressed":
        return "decoded"
    if came.first.status == 200:
        raise Broken(
            "a body in gzip is handed on without being decoded: the application reads "
            f"{came.first.content[:30]!r}"
        )
    if not came.first and not came.ended:
        raise Broken("a body in gzip is neither answered nor is the connection closed")
    if came.first and came.first.status < 400:
        raise Broken(f"a body in gzip is answered with {describe(came.first)}")
    return f"refused with {describe(came.first)}" if came.first else "dropped"


@trial("H076")
def too_much_content(probe: Probe) -> str | None:
    """A length that is refused for its size is refused with 413, before any content is sent."""
    length = 10**13
    request = post(probe, probe.target("hello"), b"Content-Length: %d" % length)
    with probe.client.connect() as connection:
        connection.send(request)
        response = connection.response("POST", 1.5)
        ended = connection.ended
    if response and response.status == 413:
        return "answered with 413"
    if response.status >= 400:
        raise Broken(f"Content-Length {length} is answered with {describe(response)}, not 413")
    if not response and ended:
        if not probe.is_alive():
            raise Broken(f"Content-Length {length} brings the server down")
        raise Broken(f"with Content-Length {length} the connection is closed without a 413")
    raise Untestable(f"no limit is seen: Content-Length {length} is not refused")


@trial("H077")
def content_that_stops(probe: Probe) -> str | None:
    """Content that ends before its length is reached does not look whole to the application."""
    need_content(probe)
    request = _echo(probe, b"Content-Length: 10") + b"hello"
    must_not_look_whole(probe, request, "10 bytes of which 5 come before the end")
    return None


@trial("H078")
def content_that_is_not_read(probe: Probe) -> str | None:
    """What an application leaves unread is not taken for the next request."""
    inner = word(probe, "inner")
    for count in (1, 2000):
        for framing in ("Content-Length", "chunked"):
            content = inner * count
            if framing == "chunked":
                lines = CHUNKED
                content = b"%x\r\n%b\r\n0\r\n\r\n" % (len(content), content)
            else:
                lines = b"Content-Length: %d" % len(content)
            request = post(probe, probe.target("hello"), lines) + content
            came = converse(probe, request + behind(probe), 2)
            what = f"{len(content)} bytes of unread content ({framing})"
            if not came.first and not came.ended:
                raise Broken(f"a request with {what} is not answered")
            for response in came.behind:
                if response.content != b"behind":
                    raise Broken(
                        f"{what} are answered with {describe(response)} {response.content[:20]!r}"
                    )
            if not came.behind and not came.ended:
                raise Broken(f"behind {what}, nothing is answered, and the connection stays open")
    return None


@trial("H079")
def content_of_any_method(probe: Probe) -> str | None:
    """Content of GET, HEAD and DELETE that reads like a request is content."""
    inner = word(probe, "inner")
    # Nothing for HEAD: what a server makes of it is H120's.
    target = answer(probe, "hello", headers=("Content-Length: 5",), head="nothing")
    for method in ("GET", "HEAD", "DELETE"):
        head = probe.client.head(method, target, b"Content-Length: %d" % len(inner))
        came = converse(probe, head + inner + behind(probe), 2, method)
        what = f"{method} with content"
        if not came.responses and not came.ended:
            raise Broken(f"{what} is neither answered nor is the connection closed")
        _next_is_sound(came.behind, what)
        if not came.behind and not came.ended:
            raise Broken(f"behind {what}, nothing is answered, and the connection stays open")
    return None
