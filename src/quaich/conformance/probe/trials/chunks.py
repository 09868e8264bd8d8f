"""How servers read content in chunks (H080 to H092): sizes, extensions, ends, trailers."""

from collections.abc import Iterable

from quaich.conformance.probe.judging import Broken, Probe, describe, trial
from quaich.conformance.probe.trials.asking import CHUNKED, behind, echo, environ_of, post
from quaich.conformance.probe.trials.refusing import (
    converse,
    must_end,
    must_not_look_whole,
    must_not_serve,
    must_not_take,
    must_refuse,
    need_chunks,
    refuse_framing,
)


def _refuse_contents(probe: Probe, cases: Iterable[tuple[str, bytes]]) -> str:
    """Each of the contents has to be refused."""
    requests = ((what, echo(probe, content)) for what, content in cases)
    return refuse_framing(probe, need_chunks, requests)


@trial("H080")
def sizes_are_hexadecimal(probe: Probe) -> str | None:
    """A chunk size that is not hexadecimal digits is refused."""
    return _refuse_contents(
        probe,
        (
            (f"the chunk size {size!r}", size + b"\r\nhello\r\n0\r\n\r\n")
            for size in (
                *(
                    b"0x5",
                    b"+5",
                    b"-5",
                    b"0_5",
                    b" 5",
                    b"\t5",
                    b"",
                    b"5g",
                    b"\x0b5",
                    b"5.",
                    b"\xb5",
                ),
            )
        ),
    )


@trial("H081")
def huge_sizes(probe: Probe) -> str | None:
    """A chunk size that would be small if it overflowed is not taken for small."""
    need_chunks(probe)
    for size in (b"100000005", b"10000000000000005", b"F" * 16, b"1" + b"0" * 400 + b"5"):
        content = size + b"\r\nhello\r\n0\r\n\r\n"
        shown = size.decode() if len(size) < 40 else f"of {len(size)} digits"
        must_not_serve(probe, echo(probe, content), f"the chunk size {shown}")
    return "waited for, or refused"


@trial("H082")
def data_end_with_crlf(probe: Probe) -> str | None:
    """Data that do not end where the size says are refused."""
    contents = (
        b"5\r\nhello!\r\n0\r\n\r\n",
        b"5\r\nhello0\r\n\r\n",
        b"5\r\nhelloXX0\r\n\r\n",
        b"5\r\nhello\rX0\r\n\r\n",
    )
    return _refuse_contents(probe, ((f"the content {each!r}", each) for each in contents))


@trial("H083")
def no_bare_lf(probe: Probe) -> str | None:
    """A bare LF behind a size, an extension or data is refused."""
    contents = (
        b"5\nhello\r\n0\r\n\r\n",
        b"5;a\nhello\r\n0\r\n\r\n",
        b"5;a=b\nhello\r\n0\r\n\r\n",
        b"5\r\nhello\n0\r\n\r\n",
        b"5\r\nhello\r\n0\n\r\n",
    )
    return _refuse_contents(probe, ((f"the content {each!r}", each) for each in contents))


@trial("H084")
def malformed_extensions(probe: Probe) -> str | None:
    """An extension without a name, with a control character or an open quote is refused."""
    extensions = (b";", b";=x", b';a="open', b";a=\x01", b";a=\x00", b";a\rb", b";a b")
    return _refuse_contents(
        probe,
        (
            (f"the chunk extension {each!r}", b"5" + each + b"\r\nhello\r\n0\r\n\r\n")
            for each in extensions
        ),
    )


@trial("H085")
def unknown_extensions(probe: Probe) -> str | None:
    """A well-formed extension that nobody knows is ignored."""
    need_chunks(probe)
    for extension in (b";a", b";a=b", b";a=b;c=d", b';a="x; \\"y\\""'):
        content = b"5%b\r\nhello\r\n0%b\r\n\r\n" % (extension, extension)
        response = probe.client.ask(echo(probe, content), "POST")
        if response.status != 200 or response.content != b"hello":
            raise Broken(
                f"the chunk extension {extension!r} brings {describe(response)}, content "
                f"{response.content[:40]!r}"
            )
    return None


@trial("H086")
def long_extensions(probe: Probe) -> str | None:
    """A body of small chunks with a mebibyte of extensions is refused."""
    need_chunks(probe)
    count = 5000
    content = (b"1;" + b"x" * 200 + b"\r\na\r\n") * count + b"0\r\n\r\n"
    what = f"{count} bytes of content with {200 * count} bytes of chunk extensions"
    return must_not_take(probe, echo(probe, content), what)


@trial("H087")
def the_end_of_chunks(probe: Probe) -> str | None:
    """A body without the empty line at its end does not pass for whole."""
    need_chunks(probe)
    for content in (b"5\r\nhello\r\n0\r\n", b"5\r\nhello\r\n0\r\nX-Trailer: 1\r\n"):
        must_not_look_whole(probe, echo(probe, content), f"{content!r} and the end of the stream")
    content = b"5\r\nhello\r\n0\r\nhello again\r\n\r\n"
    must_refuse(probe, echo(probe, content), what=f"the content {content!r}")
    return None


@trial("H088")
def trailers_are_field_lines(probe: Probe) -> str | None:
    """Trailer fields that are malformed, or far too many, are refused."""
    came = _refuse_contents(
        probe,
        (
            (f"the trailer line {line!r}", b"5\r\nhello\r\n0\r\n" + line + b"\r\n\r\n")
            for line in (b"X-Probe : y", b": y", b"X Probe: y", b"X-Probe: a\x00b", b"X-Probe")
        ),
    )
    lines = b"".join(b"X-Probe-%d: %b\r\n" % (number, b"x" * 80) for number in range(10000))
    data = echo(probe, b"5\r\nhello\r\n0\r\n" + lines + b"\r\n")
    many = must_not_take(probe, data, f"10000 trailer fields of {len(lines)} bytes")
    return f"{came}; far too many are {many}"


def _environ_behind(probe: Probe, content: bytes) -> bytes:
    """A request whose application shows the environ once it has read the content."""
    return post(probe, probe.target("environ_behind_content"), CHUNKED) + content


@trial("H089")
def trailers_are_not_merged(probe: Probe) -> str | None:
    """A trailer field is not in the environ, once the content has been read."""
    need_chunks(probe)
    content = b"5\r\nhello\r\n0\r\nX-Probe-Trailer: yes\r\n\r\n"
    came = converse(probe, _environ_behind(probe, content), 1)
    if came.first.status >= 400 or (not came.first and came.ended):
        return f"a body with a trailer field is refused with {describe(came.first)}"
    if came.first.status != 200:
        raise Broken(f"a body with a trailer field is answered with {describe(came.first)}")
    seen = environ_of(came.first)
    if "HTTP_X_PROBE_TRAILER" in seen:
        raise Broken("a trailer field is in the environ: HTTP_X_PROBE_TRAILER")
    return None


@trial("H090")
def forbidden_trailers(probe: Probe) -> str | None:
    """Fields for framing and routing have no effect as trailers."""
    need_chunks(probe)
    authority = probe.client.authority.decode()
    for line in (b"Content-Length: 50", b"Transfer-Encoding: chunked", b"Host: other.example"):
        content = b"5\r\nhello\r\n0\r\n" + line + b"\r\n\r\n"
        came = converse(probe, _environ_behind(probe, content) + behind(probe), 2)
        what = f"the trailer field {line.decode()!r}"
        if came.first.status >= 400 or (not came.first and came.ended):
            must_end(came, what)
            continue
        if came.first.status != 200:
            raise Broken(f"{what} is answered with {describe(came.first)}")
        seen = environ_of(came.first)
        if seen["content"][1] != "hello":
            raise Broken(f"with {what}, the application reads {seen['content'][1]!r}")
        if seen.get("HTTP_HOST", ["", authority])[1] != authority:
            raise Broken(f"{what} changes HTTP_HOST to {seen['HTTP_HOST'][1]!r}")
        if seen.get("CONTENT_LENGTH", ["", ""])[1] == "50":
            raise Broken(f"{what} sets CONTENT_LENGTH")
        if came.behind and came.behind[0].content != b"behind":
            raise Broken(f"behind {what}, a sound request gets {describe(came.behind[0])}")
        if not came.behind and not came.ended:
            raise Broken(f"behind {what}, nothing is answered, and the connection stays open")
    return None


@trial("H091")
def chunks_that_stop(probe: Probe) -> str | None:
    """A body without its last chunk does not look whole to the application."""
    need_chunks(probe)
    for content in (b"5\r\nhello\r\n", b"5\r\nhel", b"5\r\n", b""):
        must_not_look_whole(probe, echo(probe, content), f"{content!r} and the end of the stream")
    return None


@trial("H092")
def decoded_once(probe: Probe) -> str | None:
    """An application that gets the decoded content is not told that it is in chunks."""
    need_chunks(probe)
    response = probe.client.ask(_environ_behind(probe, b"5\r\nhello\r\n0\r\n\r\n"), "POST")
    if response.status != 200:
        raise Broken(f"a body in chunks is answered with {describe(response)}")
    seen = environ_of(response)
    coding = seen.get("HTTP_TRANSFER_ENCODING", ["", ""])[1]
    if "chunked" in coding.lower():
        raise Broken(
            f"the application reads {seen['content'][1]!r}, decoded, and HTTP_TRANSFER_ENCODING "
            f"is {coding!r}"
        )
    return None
