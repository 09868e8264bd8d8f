"""``wsgi.input``: the four methods of PEP 3333 over a body decoder (S49-S58).

The stream ends where the body ends (D065, D066): the bytes behind it are not the
application's. A body that the peer does not finish is an error and never a short read that
looks whole (D067). What the server's stream could do besides, the application cannot reach
(D068).
"""

import io
from collections.abc import Callable
from typing import Any

from quaich.protocol.body import Decoder
from quaich.protocol.errors import ProtocolError

READ_MAX = 64 * 1024
"""The most that is asked of ``receive`` at once, bytes."""


class Input(io.BufferedIOBase):
    """The content of one request.

    ``decoder`` says what is content. ``receive(n)`` returns at least one and at most ``n`` of
    the peer's bytes, or for ``n == 0`` at most one line; ``b""`` when the peer has ended.
    ``before_reading`` is called once, before the first call of ``receive``: the place for
    100 (Continue) (S92, D004).

    Being an :class:`io.BufferedIOBase`, it can be handed to :class:`io.TextIOWrapper` and the
    like. Raises :class:`~quaich.protocol.errors.BodyError` where the body is broken or
    incomplete, and whatever ``receive`` raises; ``fault`` keeps that error, so that a server
    can tell the peer's fault from an application's own error of the same type (D097).
    """

    def __init__(
        self,
        decoder: Decoder,
        receive: Callable[[int], bytes],
        before_reading: Callable[[], object] | None = None,
    ) -> None:
        self._decoder = decoder
        self._receive = receive
        self._before_reading = before_reading
        self._buffer = b""  # content that has been decoded and not yet read
        self._position = 0  # where the unread part of the buffer begins
        self.fault: BaseException | None = None

    @property
    def ended(self) -> bool:
        """Nothing of the body is left with the peer (the application may not have read all)."""
        return self._decoder.done

    @property
    def awaits_continue(self) -> bool:
        """The peer may be waiting for 100 (Continue), which it has not been told."""
        return self._before_reading is not None

    @property
    def left(self) -> int:
        """Bytes that surely are still to come: of a chunked body, those of the present chunk."""
        return self._decoder.wanted

    def forgo_continue(self) -> None:
        """The response has begun: 100 (Continue) in the midst of it would break it (H095)."""
        self._before_reading = None

    def discard(self) -> int | None:
        """Take the peer's next bytes and drop them; returns how many came, None at the end.

        For the server that wants the body out of the way (D005, D006); asks for no
        100 (Continue).
        """
        if self._decoder.done:
            return None
        self._before_reading = None
        return len(self._more())

    def _more(self) -> bytes:
        """The next content from the peer; ``b""`` if its bytes held none, or at the end."""
        decoder = self._decoder
        try:
            if self._before_reading is not None:
                hook, self._before_reading = self._before_reading, None
                hook()
            if decoder.fault is not None:
                raise decoder.fault
            data = self._receive(min(decoder.wanted, READ_MAX))
            if not data:
                raise decoder.incomplete()
            return decoder.feed(data)
        except (OSError, ProtocolError) as fault:
            self.fault = fault
            raise

    def _take(self, size: int) -> bytes:
        """``size`` bytes of the buffer, which holds as many."""
        start = self._position
        end = start + size
        if start == 0 and end >= len(self._buffer):
            block, self._buffer = self._buffer, b""
            return block
        block = self._buffer[start:end]
        if end >= len(self._buffer):
            self._buffer, self._position = b"", 0
        else:
            self._position = end
        return block

    @property
    def _held(self) -> int:
        return len(self._buffer) - self._position

    def _hold(self, data: bytes) -> None:
        """Put ``data`` behind the unread content."""
        if data:
            self._buffer = self._buffer[self._position :] + data
            self._position = 0

    def read(self, size: int | None = -1, /) -> bytes:
        """``size`` bytes, fewer only at the end; all that is left for None and below 0."""
        held = self._held
        if size is not None and 0 <= size <= held:
            return self._take(size)
        blocks = [self._take(held)]
        missing = -1 if size is None or size < 0 else size - held
        while missing and not self._decoder.done:
            data = self._more()
            if 0 <= missing < len(data):
                self._hold(data)
                data = self._take(missing)
            blocks.append(data)
            if missing > 0:
                missing -= len(data)
        return blocks[0] if len(blocks) == 1 else b"".join(blocks)

    def read1(self, size: int = -1, /) -> bytes:
        """At most ``size`` bytes with at most one call that waits for the peer's content."""
        while not self._held and size != 0 and not self._decoder.done:
            self._hold(self._more())
        return self._take(self._held if size < 0 else min(size, self._held))

    def readline(self, size: int | None = -1, /) -> bytes:
        """Up to and with the next LF, or ``size`` bytes, or the end."""
        limit = -1 if size is None else size
        parts: list[bytes] = []
        while True:
            stop = len(self._buffer) if limit < 0 else self._position + limit
            newline = self._buffer.find(b"\n", self._position, stop)
            if newline >= 0:
                parts.append(self._take(newline + 1 - self._position))
                break
            part = self._take(self._held if limit < 0 else min(limit, self._held))
            parts.append(part)
            if limit > 0:
                limit -= len(part)
            if limit == 0 or self._decoder.done:
                break
            self._hold(self._more())
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def readlines(self, hint: int | None = -1, /) -> list[bytes]:
        """The lines that are left, stopping where they have ``hint`` bytes or more."""
        lines: list[bytes] = []
        total = 0
        while line := self.readline():
            lines.append(line)
            total += len(line)
            if hint is not None and 0 < hint <= total:
                break
        return lines

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        """Nothing: the stream is the server's (A32, D068), which still has to drain it."""

    # The file protocol of IOBase asks these of a stream; a request has neither.
    def detach(self) -> Any:
        raise io.UnsupportedOperation("wsgi.input has no raw stream to give away")


def file_receiver(stream: Any) -> Callable[[int], bytes]:
    """A ``receive`` over a binary file object: a socket's file, ``sys.stdin.buffer``, BytesIO.

    Takes what has come (``read1``) where the file can do that, and never more than asked, so
    that the next request stays in the file's buffer. ``None`` is a stream at its end.
    """
    if stream is None:
        return lambda size: b""
    take = getattr(stream, "read1", None) or stream.read

    def receive(size: int) -> bytes:
        data: bytes = take(size) if size else stream.readline(READ_MAX)
        return data

    return receive
