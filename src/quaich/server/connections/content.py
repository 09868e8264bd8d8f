"""A request's content, gathered before the application is called.

So a slow sender costs no thread: up to a limit it is kept in memory, beyond that in a temporary
file. Or the application reads it from the connection itself (``--stream-body``, and where the
client waits for 100).
"""

import io
import tempfile
from collections.abc import Callable
from typing import Any, Final

from quaich.exchange.input import Input
from quaich.protocol.body import Decoder
from quaich.protocol.errors import BodyError

COPY_MAX: Final = 64 * 1024  # bytes


class Content:
    """What has come of one request's content.

    ``memory``: bytes that are kept in memory. ``limit``: bytes that are taken at all, 0 for
    any number.
    """

    __slots__ = ("_blocks", "_file", "_limit", "_memory", "decoder", "size")

    def __init__(self, decoder: Decoder, memory: int, limit: int) -> None:
        self.decoder = decoder
        self._memory = memory
        self._limit = limit
        self._blocks: list[bytes] = []
        self._file: Any = None
        self.size = 0
        if limit and decoder.wanted > limit:
            raise too_large(limit)  # before anything is read (H076)

    def feed(self, data: bytes) -> bool:
        """Take the peer's next bytes; whether the content is complete.

        Raises :class:`~quaich.protocol.errors.BodyError` for broken framing and for content
        that is too large, OSError if the temporary file cannot be written.
        """
        decoder = self.decoder
        block = decoder.feed(data)
        if decoder.fault is not None:
            raise decoder.fault
        if block:
            self.size += len(block)
            if self._limit and self.size > self._limit:
                raise too_large(self._limit)
            if self._file is not None:
                self._file.write(block)
            else:
                self._blocks.append(block)
                if self.size > self._memory:
                    self._spill()
        return decoder.done

    def _spill(self) -> None:
        # close() closes it
        self._file = tempfile.TemporaryFile()  # noqa: SIM115
        self._file.writelines(self._blocks)
        self._blocks.clear()

    def input(self) -> Any:
        """``wsgi.input`` over the complete content: a file object with all four methods."""
        if self._file is not None:
            self._file.seek(0)
            return self._file
        blocks = self._blocks
        return io.BytesIO(blocks[0] if len(blocks) == 1 else b"".join(blocks))

    def close(self) -> None:
        """Nobody needs it any more."""
        if self._file is not None:
            try:
                self._file.close()
            except OSError:
                pass  # it could not be written, and nobody wants it


def too_large(limit: int) -> BodyError:
    """The error for content beyond the limit."""
    return BodyError("H076", 413, f"the content is larger than {limit} bytes")


class ContentInput(Input):
    """``wsgi.input`` where the application reads the content from the connection itself.

    ``limit``: bytes that are taken at all, 0 for any number. ``decoder`` is public here: what
    it has in excess is the next request.
    """

    def __init__(
        self,
        decoder: Decoder,
        receive: Callable[[int], bytes],
        before_reading: Callable[[], object] | None,
        limit: int,
    ) -> None:
        super().__init__(decoder, receive, before_reading)
        self.decoder = decoder
        self._limit = limit
        self._size = 0
        if limit and decoder.wanted > limit:
            raise too_large(limit)

    @property
    def received(self) -> int:
        """Bytes of content that have come."""
        return self._size

    def _more(self) -> bytes:
        data = super()._more()
        self._size += len(data)
        if self._limit and self._size > self._limit:
            self.fault = too_large(self._limit)
            raise self.fault
        return data
