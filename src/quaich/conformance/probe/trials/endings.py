"""Where responses end on the wire (H120 to H132): heads without content, lengths, chunks."""

from quaich.conformance.probe.judging import Broken, Probe, describe, trial
from quaich.conformance.probe.trials.asking import answer, answered, behind
from quaich.conformance.probe.trials.refusing import Came, collect
from quaich.conformance.probe.wire import Response

# --- Responses that end with their head ---------------------------------------------------------


def _head_only(probe: Probe, target: str, method: str, version: str) -> tuple[Response, Came]:
    """A response whose head is all, and what comes behind it, by itself or for a request that is
    sent once the head is there."""
    keep = (b"Connection: keep-alive",)
    with probe.client.connect() as connection:
        connection.send(probe.client.head(method, target, *keep, version=version))
        response = connection.response(method)
        if not response:
            raise Broken(f"{method} {target} is answered with {describe(response)}")
        if method != "HEAD" and response.status not in (204, 304):
            return response, Came((), True)
        connection.send(behind(probe))
        return response, collect(connection, 1)


@trial("H120")
def no_content_behind_these_heads(probe: Probe) -> str | None:
    """HEAD, 204 and 304 bring no content, though the application yields some."""
    for method, target in (
        ("HEAD", answer(probe, "hello", headers=("Content-Length: 5",))),
        ("HEAD", answer(probe, "hel", "lo", kind="iterator")),
        ("HEAD", answer(probe, "hello", status="404 Not Found")),
        ("GET", answer(probe, "hello", status="204 No Content")),
        ("GET", answer(probe, "hello", status="304 Not Modified")),
        ("GET", answer(probe, "hel", "lo", status="304 Not Modified", kind="iterator")),
    ):
        for version in ("1.1", "1.0"):
            response, came = _head_only(probe, target, method, version)
            if came.responses and came.first.content != b"behind":
                raise Broken(
                    f"behind the head of a response to {method} ({describe(response)}) comes "
                    f"{came.first.raw[:60]!r}"
                )
            if not came.responses and not came.ended:
                raise Broken(
                    f"behind a response to {method} ({describe(response)}) nothing is answered"
                )
    return None


def _bodiless(probe: Probe, field: str) -> None:
    """204, and 2xx to CONNECT, must not have the field."""
    for target in (
        answer(probe, status="204 No Content"),
        answer(probe, status="204 No Content", headers=("Content-Length: 0",)),
        answer(probe, status="204 No Content", kind="iterator"),
        answer(probe, "hello", status="204 No Content", kind="iterator"),
    ):
        response = answered(probe, target)
        if response.status == 204 and response.values(field):
            raise Broken(f"a 204 has {field}: {response.values(field)[0].decode('latin-1')}")
    request = b"CONNECT example.com:80 HTTP/1.1\r\nHost: example.com:80\r\n\r\n"
    response = probe.client.ask(request, "HEAD")
    if response.status // 100 == 2 and response.values(field):
        raise Broken(
            f"CONNECT is answered with {describe(response)} and {field}: "
            f"{response.values(field)[0].decode('latin-1')}"
        )


@trial("H121")
def no_length_of_nothing(probe: Probe) -> str | None:
    """204, and 2xx to CONNECT, have no Content-Length."""
    _bodiless(probe, "Content-Length")
    return None


@trial("H122")
def no_coding_of_nothing(probe: Probe) -> str | None:
    """204, and 2xx to CONNECT, have no Transfer-Encoding."""
    _bodiless(probe, "Transfer-Encoding")
    return None


@trial("H123")
def the_length_that_get_has(probe: Probe) -> str | None:
    """HEAD and 304 have the Content-Length of GET and 200, or none."""
    for kind in ("list", "iterator"):
        full = answered(probe, answer(probe, "hello, probe", kind=kind, head="nothing"))
        if full.status != 200 or full.content != b"hello, probe":
            raise Broken(f"GET is answered with {describe(full)}, {full.content[:40]!r}")
        for shown, response in (
            (
                "HEAD",
                answered(probe, answer(probe, "hello, probe", kind=kind, head="nothing"), "HEAD"),
            ),
            ("304", answered(probe, answer(probe, status="304 Not Modified", kind=kind))),
        ):
            length = response.value("Content-Length")
            if length not in (None, b"12"):
                raise Broken(
                    f"a response to {shown} has Content-Length {length.decode('latin-1')}, where "
                    "a GET would get 12 bytes"
                )
    return None


@trial("H124")
def reset_content_has_none(probe: Probe) -> str | None:
    """A 205 brings no content, and ends."""
    for blocks, kind in (((), "list"), (("hello",), "list"), (("hel", "lo"), "iterator")):
        target = answer(probe, *blocks, status="205 Reset Content", kind=kind)
        response = answered(probe, target)
        if response.status != 205:
            continue  # the server may take it for a fault of the application
        if response.content:
            raise Broken(f"a 205 has the content {response.content[:40]!r}")
        if not response.complete:
            raise Broken("a 205 does not end: it has neither a length nor chunks")
    return None


@trial("H125")
def fields_of_a_304(probe: Probe) -> str | None:
    """The fields that a 304 has to have reach the client."""
    headers = (
        "Cache-Control: max-age=60",
        "Content-Location: /probe",
        "Date: Mon, 05 Jun 2006 18:49:54 GMT",
        'ETag: "probe"',
        "Expires: Mon, 05 Jun 2006 18:50:54 GMT",
        "Vary: Accept",
    )
    response = answered(probe, answer(probe, status="304 Not Modified", headers=headers))
    if response.status != 304:
        raise Broken(f"a 304 of an application becomes {describe(response)}")
    for line in headers:
        name, _, value = line.partition(": ")
        # The server may know the time better than the application.
        missing = response.value(name) is None
        if missing or (name != "Date" and response.value(name) != value.encode()):
            raise Broken(f"a 304 has lost {line!r}: the field is {response.value(name)!r}")
    return None


# --- The framing of content ---------------------------------------------------------------------


@trial("H126")
def one_framing(probe: Probe) -> str | None:
    """No response has Transfer-Encoding and Content-Length."""
    for target in (
        answer(probe, "hello", headers=("Content-Length: 5",)),
        answer(probe, "hel", "lo", headers=("Content-Length: 5",), kind="iterator"),
        answer(probe, "hel", "lo", kind="iterator"),
        answer(probe, "hello"),
    ):
        for method in ("GET", "HEAD"):
            response = answered(probe, target, method)
            if response.values("Transfer-Encoding") and response.values("Content-Length"):
                raise Broken(
                    f"a response to {method} has Transfer-Encoding "
                    f"{response.value('Transfer-Encoding')!r} and Content-Length "
                    f"{response.value('Content-Length')!r}"
                )
    return None


@trial("H127")
def no_chunks_for_http_1_0(probe: Probe) -> str | None:
    """A response to HTTP/1.0 has no Transfer-Encoding."""
    target = answer(probe, "hel", "lo", kind="iterator")
    for lines in ((), (b"Connection: keep-alive",), (b"TE: chunked",)):
        response = probe.client.ask(probe.client.head("GET", target, *lines, version="1.0"))
        if response.values("Transfer-Encoding"):
            raise Broken(
                f"an HTTP/1.0 client gets Transfer-Encoding {response.value('transfer-encoding')!r}"
            )
        if response.content != b"hello":
            raise Broken(f"HTTP/1.0 brings {describe(response)}, content {response.content[:40]!r}")
    return None


@trial("H128")
def lengths_that_are_known(probe: Probe) -> str | None:
    """A list of one block has a Content-Length, or comes in chunks."""
    for version in ("1.1", "1.0"):
        response = answered(probe, answer(probe, "hello"), version=version)
        if response.content != b"hello":
            raise Broken(f"the answer is {describe(response)}, content {response.content[:40]!r}")
        if response.framing == "close":
            raise Broken(
                f"in HTTP/{version}, a list of one block gets neither Content-Length nor chunks"
            )
    return None


@trial("H129")
def framing_that_shows_the_end(probe: Probe) -> str | None:
    """Blocks without a length come in chunks in HTTP/1.1, or with a length."""
    response = answered(probe, answer(probe, "hel", "lo", kind="iterator"))
    if response.content != b"hello":
        raise Broken(f"the answer is {describe(response)}, content {response.content[:40]!r}")
    if response.framing == "close" and response.version == b"HTTP/1.0":
        return "the response is HTTP/1.0, which has no chunks"
    if response.framing == "close":
        raise Broken("in HTTP/1.1, content without a length ends with the connection")
    return f"sent with {'chunks' if response.framing == 'chunked' else 'a length'}"


@trial("H130")
def close_where_it_ends_with_the_connection(probe: Probe) -> str | None:
    """A response that ends with the connection says close."""
    ended = 0
    for version in ("1.1", "1.0"):
        for kind in ("list", "iterator"):
            target = answer(probe, "hel", "lo", kind=kind)
            response = answered(probe, target, version=version)
            if response.framing != "close":
                continue
            ended += 1
            if response.version != b"HTTP/1.0" and not response.closes:
                raise Broken(
                    f"a response to HTTP/{version} has neither a length nor chunks, and does not "
                    "say close"
                )
    return None if ended else "no response ends with the connection"


@trial("H131")
def as_many_bytes_as_said(probe: Probe) -> str | None:
    """Content that is longer than its length is cut, or the connection closes; shorter content
    is broken off."""
    for kind in ("list", "iterator"):
        with probe.client.connect() as connection:
            headers = ("Content-Length: 5",)
            target = answer(probe, "hello", ", probe", headers=headers, kind=kind)
            connection.send(probe.client.head("GET", target))
            response = connection.response()
            if not response and not connection.ended:
                raise Broken("content that is longer than its length brings no answer")
            if response.framing == "length" and not response.complete and not connection.ended:
                raise Broken("of content that is longer than its length, less than that comes")
            connection.send(behind(probe))
            came = collect(connection, 1)
            if came.responses and came.first.content != b"behind":
                raise Broken(
                    f"behind content of the length that was said comes {came.first.raw[:60]!r}"
                )
            if not came.responses and not came.ended:
                raise Broken("behind content that was too long, nothing is answered")
        with probe.client.connect() as connection:
            headers = ("Content-Length: 20",)
            target = answer(probe, "hello", ", probe", headers=headers, kind=kind)
            connection.send(probe.client.head("GET", target))
            response = connection.response()
            if not response and not response.raw and not connection.ended:
                raise Broken("content that is shorter than its length brings no answer")
            if not response.complete and not connection.ended:
                raise Broken(
                    f"of 20 bytes that were said, {len(response.content)} come, and the "
                    "connection stays open"
                )
    return None


@trial("H132")
def the_last_chunk_is_the_end(probe: Probe) -> str | None:
    """An empty block ends nothing, and an exception brings no last chunk."""
    for blocks in (("hel", "", "lo"), ("", "hello"), ("hello", "", "")):
        response = answered(probe, answer(probe, *blocks, kind="iterator"))
        if response.content != b"hello" or not response.complete:
            raise Broken(
                f"the blocks {blocks!r} bring {describe(response)}, content "
                f"{response.content[:40]!r}{'' if response.complete else ', without an end'}"
            )
    with probe.client.connect() as connection:
        connection.send(probe.client.head("GET", answer(probe, "hel", "lo", kind="failing")))
        response = connection.response()
        if not response.complete and not connection.ended:
            raise Broken("the connection stays open though the application has failed")
    if response.status == 200 and response.complete and response.framing != "close":
        raise Broken(
            "an application fails halfway, and the client gets a response that looks whole: "
            f"{response.content[:40]!r} by {response.framing}"
        )
    return None
