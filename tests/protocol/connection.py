"""What a connection sends, read as a server reads it: a head, its content, the next head.

Shared with the harnesses in ``fuzz/``.
"""

from collections.abc import Iterable
from dataclasses import astuple, replace
from typing import Any, Final, NamedTuple

from quaich.protocol.body import Chunked, Decoder
from quaich.protocol.errors import BodyError, ProtocolError
from quaich.protocol.http1 import HeadOptions, Repetition, Request, parse_head

STRICT_OPTIONS: Final = HeadOptions()
BASE: Final[dict[str, Any]] = {
    "SERVER_NAME": "server.example",
    "SCRIPT_NAME": "",
    "REMOTE_ADDR": "192.0.2.1",
    "wsgi.version": (1, 0),
}


class Message(NamedTuple):
    """A request with as much of its content as came."""

    method: str
    version: str
    persists: bool
    awaits_continue: bool
    framing: str
    variables: dict[str, Any]
    content: bytes
    trailers: list[tuple[str, str]]


class Refusal(NamedTuple):
    rule: str
    status: int
    message: str
    span: tuple[int, int] | None


class Outcome(NamedTuple):
    """All that was made of the bytes: the same for every split of them.

    ``verdict``: "ok" where the bytes end with a message, "incomplete", or the status and the
    rule of the refusal. ``rest``: what was not read, because the connection ends before it or
    because it is the start of a head, good or bad. Behind a fault in a content it is empty:
    there is no next message.
    """

    messages: list[Message]
    verdict: str
    refusal: Refusal | None
    rest: bytes


class Reader:
    """Reads one connection. ``repeats``: what its heads have in common is recognised."""

    def __init__(self, options: HeadOptions = STRICT_OPTIONS, *, repeats: bool = True) -> None:
        self._options = options
        self._repetition = Repetition(BASE) if repeats else None
        self._buffer, self._start = b"", 0
        self._closed = self._is_broken_off = False
        # The message that is being read, while its content is not complete.
        self._request: Request | None = None
        self._variables: dict[str, Any] = {}
        self._content = b""
        self._messages: list[Message] = []
        self._refusal: Refusal | None = None

    def feed(self, data: bytes) -> None:
        request = self._request
        if request is not None and request.decoder is not None:
            self._read_content(request.decoder, data)
        elif not self._is_broken_off:
            self._buffer += data
        while not self._closed and self._request is None and self._read_head():
            pass

    def _read_head(self) -> bool:
        try:
            head = parse_head(self._buffer, self._start, BASE, self._options, self._repetition)
        except ProtocolError as error:
            self._refuse(error)
            return False
        if head is None:
            return False
        self._start, self._request, self._variables = head
        self._content = b""
        if self._request.decoder is None:
            self._end_message()
        else:
            data, self._buffer, self._start = self._buffer[self._start :], b"", 0
            self._read_content(self._request.decoder, data)
        return True

    def _read_content(self, decoder: Decoder, data: bytes) -> None:
        try:
            self._content += decoder.feed(data)
            if decoder.fault is not None:
                raise decoder.fault
        except BodyError as error:
            self._refuse(error)
        else:
            if decoder.done:
                self._buffer = decoder.excess
                self._end_message()

    def _refuse(self, error: ProtocolError) -> None:
        self._refusal = Refusal(error.rule, error.status, error.message, error.span)
        self._is_broken_off = self._request is not None
        self._end_message()
        self._closed = True

    def _end_message(self) -> None:
        if self._request is None:
            return
        self._messages.append(self._message(self._request))
        self._closed = not self._request.persists
        self._request = None

    def _message(self, request: Request) -> Message:
        decoder = request.decoder
        return Message(
            request.method,
            request.version,
            request.persists,
            request.awaits_continue,
            type(decoder).__name__,
            self._variables,
            self._content,
            decoder.trailers if isinstance(decoder, Chunked) else [],
        )

    def outcome(self) -> Outcome:
        """What has been read so far."""
        messages, rest = self._messages[:], self._buffer[self._start :]
        verdict = "ok"
        if self._refusal is not None:
            verdict = f"{self._refusal.status} {self._refusal.rule}"
        elif self._request is not None:
            verdict = "incomplete"
            messages.append(self._message(self._request))
        elif not self._closed and rest.strip(b"\r\n"):
            verdict = "incomplete"
        return Outcome(messages, verdict, self._refusal, rest)


def read_connection(
    blocks: Iterable[bytes], options: HeadOptions = STRICT_OPTIONS, *, repeats: bool = True
) -> Outcome:
    reader = Reader(options, repeats=repeats)
    for block in blocks:
        reader.feed(block)
    return reader.outcome()


# --- One head --------------------------------------------------------------------------------


def verdict_on(data: bytes, options: HeadOptions, start: int = 0, parse: Any = parse_head) -> Any:
    """All that parse_head() says of a head, in values that can be compared."""
    try:
        head = parse(data, start, BASE, options)
    except ProtocolError as error:
        return Refusal(error.rule, error.status, error.message, error.span)
    if head is None:
        return None
    end, request, variables = head
    return end - start, _described(request), variables


def _described(request: Request) -> tuple[Any, ...]:
    decoder = request.decoder
    if decoder is None:
        return astuple(request)
    return (*astuple(replace(request, decoder=None)), type(decoder), decoder.wanted, decoder.done)


# --- Requests to be read ----------------------------------------------------------------------

HOST: Final = b"Host: a\r\n"


def get(fields: bytes = b"", line: bytes = b"GET / HTTP/1.1", host: bytes = HOST) -> bytes:
    """A head with these field lines, each with its CRLF."""
    return line + b"\r\n" + host + fields + b"\r\n"


def post(fields: bytes, content: bytes = b"") -> bytes:
    return get(fields, b"POST / HTTP/1.1") + content


def chunks(content: bytes) -> bytes:
    """A request whose content comes in chunks; these."""
    return post(b"Transfer-Encoding: chunked\r\n", content)
