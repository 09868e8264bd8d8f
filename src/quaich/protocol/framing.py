"""Message framing: where a request's body ends, how a response's body is delimited, and
whether the connection goes on.

Decisions only, as functions of values. The loops that move bytes ask here.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from quaich.protocol.body import Chunked, ChunkLimits, Length
from quaich.protocol.errors import ProtocolError
from quaich.protocol.grammar import list_members, parse_decimal

# --- The request's body -----------------------------------------------------------------


def body_decoder(
    version: str,
    transfer_encodings: list[str],
    content_lengths: list[str],
    chunk_limits: ChunkLimits | None = None,
) -> Length | Chunked:
    """The decoder for a request's body (RFC 9112, section 6.3; H060-H074).

    ``transfer_encodings`` and ``content_lengths`` are the values of those fields, one per
    line. Raises :class:`ProtocolError` with status 400 or 501; the connection must then be
    closed, because nobody knows where the next request begins.
    """
    if transfer_encodings:
        if version < "HTTP/1.1":
            raise ProtocolError("H072", 400, "Transfer-Encoding does not exist in HTTP/1.0")
        if content_lengths:
            raise ProtocolError("H071", 400, "Transfer-Encoding and Content-Length are both given")
        codings = list_members(transfer_encodings)
        if any(";" in coding for coding in codings):
            raise ProtocolError("H070", 400, "a transfer coding has parameters")
        if codings.count("chunked") > 1:
            raise ProtocolError("H069", 400, "the chunked coding is applied twice")
        if codings == ["chunked"]:
            return Chunked(chunk_limits)
        if "chunked" in codings and codings[-1] != "chunked":
            raise ProtocolError("H068", 400, "chunked is not the last transfer coding")
        raise ProtocolError("H067", 501, "only the chunked transfer coding is implemented")
    if not content_lengths:
        return Length(0)
    if len(content_lengths) > 1:
        raise ProtocolError("H064", 400, "Content-Length is given more than once")
    value = content_lengths[0]
    length = parse_decimal(value)
    if length is None:
        if "," in value:
            raise ProtocolError("H064", 400, "Content-Length is given more than once")
        if value.isascii() and value.isdigit():
            raise ProtocolError("H063", 400, "Content-Length has more than 20 digits")
        raise ProtocolError("H062", 400, "Content-Length is not a number of bytes")
    return Length(length)


def expects_continue(version: str, expect: str) -> bool:
    """The client waits for 100 (Continue) before it sends content (H093-H095)."""
    return version >= "HTTP/1.1" and "100-continue" in list_members([expect])


# --- Persistence ------------------------------------------------------------------------


def persists(version: str, connection: list[str]) -> bool:
    """The client wants the connection to go on (RFC 9112, section 9.3; H103, H104).

    ``connection`` holds the values of the Connection field, one per line.
    """
    options = list_members(connection)
    if "close" in options:
        return False
    return version >= "HTTP/1.1" or (version == "HTTP/1.0" and "keep-alive" in options)


# --- The response's body ----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ResponsePlan:
    """How a response goes out.

    ``has_body``: content may be sent at all. ``length``: bytes that must follow the head, if
    known. ``chunked``: the server adds Transfer-Encoding and frames each block.
    ``drop_length``: a Content-Length must not be in the head. A body with neither length nor
    chunks ends with the connection.
    """

    has_body: bool
    length: int | None
    chunked: bool
    drop_length: bool

    @property
    def ends_with_connection(self) -> bool:
        return self.has_body and self.length is None and not self.chunked


_NOTHING: Final = ResponsePlan(has_body=False, length=0, chunked=False, drop_length=True)
_NO_CONTENT: Final = ResponsePlan(has_body=False, length=0, chunked=False, drop_length=False)
_UNTIL_CLOSE: Final = ResponsePlan(has_body=True, length=None, chunked=False, drop_length=False)
_IN_CHUNKS: Final = ResponsePlan(has_body=True, length=None, chunked=True, drop_length=False)


@lru_cache(maxsize=1024)  # the same few recur
def plan_response(
    method: str, code: str, content_length: str | None, may_chunk: bool
) -> ResponsePlan:
    """How a response to ``method`` with status ``code`` is framed (H120-H130).

    ``code`` is the three digits of the status, ``content_length`` what the head declares
    (None, or text that is not a number: nothing). ``may_chunk``: both sides speak HTTP/1.1
    and the transport wants chunks rather than the end of the connection (S79, H127).
    """
    if is_bodiless(method, code):
        return _NOTHING  # H121
    if method == "HEAD" or code in ("304", "205"):  # 205: H124
        return _NO_CONTENT
    length = None if content_length is None else parse_decimal(content_length)
    if length is not None:
        return ResponsePlan(has_body=True, length=length, chunked=False, drop_length=False)
    return _IN_CHUNKS if may_chunk else _UNTIL_CLOSE


def is_bodiless(method: str, code: str) -> bool:
    """The response has no body and says nothing about one (H121, H122)."""
    return code == "204" or code < "200" or (method == "CONNECT" and code[:1] == "2")


def implied_length(method: str, code: str, total: int | None) -> int | None:
    """The Content-Length that a server may add for a response whose content it knows.

    ``total`` is the number of bytes of the whole content, or None where it is not known. A
    response to HEAD and a 304 say what GET would have got, so an empty content there says
    nothing (H123, D089, D090).
    """
    if code == "200" and total and method != "CONNECT":
        return total  # as the rules below say, without asking each: most responses are this
    if code == "304" or is_bodiless(method, code):
        return None
    if code == "205":
        return 0
    if method == "HEAD" and not total:
        return None
    return total


def known_total(result: object, first: int | None) -> int | None:
    """The size of an iterable's whole content before it has been iterated, or None.

    ``first`` is the size of its first non-empty block. A list or tuple of bytes is added up
    (H128); of any other iterable only ``len() == 1`` says something: the first block is all
    (S17, S78). Whatever a foreign ``__len__`` raises means "not known" (D092).
    """
    try:
        blocks = len(result)  # type: ignore[arg-type]  # asked of any object on purpose
    except Exception:
        return None
    if blocks == 1:
        # Not yet known where the head is sent before any block (Django's answer to HEAD).
        return first or None
    if type(result) is not list and type(result) is not tuple:
        return None
    total = 0
    for block in result:
        if type(block) is not bytes:
            return None
        total += len(block)
    return total
