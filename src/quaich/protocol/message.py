"""What a request's head says, and how much of it may be said: the values that parsing takes and
gives."""

from dataclasses import dataclass, field
from typing import Any, Final

from quaich.protocol.body import ChunkLimits, Decoder
from quaich.protocol.request import STRICT, Leniency
from quaich.protocol.variables import HeaderMap

EMPTY_LINES_MAX: Final = 3
"""Empty lines that may stand before a request line (RFC 9112, section 2.2; H005). One is what
old clients send behind a body; h11 takes any number, llhttp and nginx too."""


@dataclass(frozen=True, slots=True)
class HeadLimits:
    """How large a head may be. Bytes; of a line without its CRLF."""

    # RFC 9112, section 3, recommends at least 8000 (H020). Apache 8190, nginx 8192, gunicorn
    # 4094.
    request_line: int = 8190
    # Field lines. Apache, gunicorn and hyper 100; httptools has none.
    fields: int = 100
    # One field line. Apache and gunicorn 8190.
    field_size: int = 8190
    # The head as a whole, with all line ends and the empty line. Node 16 KiB, nginx 32 KiB, h11
    # 16 KiB, granian 400 KiB; it is memory that a client may hold without having asked for
    # anything.
    head: int = 64 * 1024
    # The lines of a head that is no longer than this need not be measured.
    harmless: int = field(init=False, repr=False)

    def __post_init__(self) -> None:
        smallest = min(self.request_line, self.field_size, self.head - len(b"\r\n\r\n"))
        object.__setattr__(self, "harmless", smallest)


@dataclass(frozen=True, slots=True)
class HeadOptions:
    """What :func:`parse_head` is to allow. The default is every H-rule."""

    limits: HeadLimits = HeadLimits()
    chunk_limits: ChunkLimits = field(default_factory=ChunkLimits)
    header_map: HeaderMap = "drop"
    leniency: Leniency = STRICT
    scheme: str | None = "http"  # of the connection; None: whoever calls checks that


STRICT_OPTIONS: Final = HeadOptions()


# Not frozen: making one would cost as much as parsing a small head; and of a NamedTuple, each
# look at a field costs several times what a slot does.
@dataclass(slots=True)
class Request:
    """What a server must know of a request; the rest is in its variables.

    ``version`` is as sent, e.g. ``"HTTP/1.1"``; ``persists`` whether the client wants the
    connection to go on (H104). ``decoder`` is that of the content, None where no content
    follows. ``awaits_continue``: the client waits for 100 (Continue) (H095). ``scheme``: what an
    absolute-form says, where nobody has checked it (:attr:`HeadOptions.scheme`).
    """

    method: str
    version: str
    persists: bool
    decoder: Decoder | None = None
    awaits_continue: bool = False
    scheme: str | None = None


Head = tuple[int, Request, dict[str, Any]]
"""Where the head ends in the buffer, the request, and its variables with those of the base."""
