"""Handlers over given streams: HTTP for the client itself, or CGI for a gateway."""

import io
from collections.abc import Callable
from typing import Any

from quaich.exchange.input import Input, file_receiver
from quaich.handlers.base import BaseHandler
from quaich.protocol.body import Decoder
from quaich.protocol.errors import ProtocolError
from quaich.protocol.framing import body_decoder
from quaich.types import WSGIEnvironment


class SimpleHandler(BaseHandler):
    """A handler that is given its streams and CGI variables.

    ``stdin`` and ``stdout`` are binary, ``stderr`` is a text stream; ``environ`` is added to
    :attr:`~quaich.handlers.BaseHandler.os_environ` and kept as ``base_env``.
    ``stdout.write()`` should take all it is given. ``multithread`` and ``multiprocess`` become
    ``wsgi.multithread`` and ``wsgi.multiprocess``. ::

        SimpleHandler(sys.stdin.buffer, sys.stdout.buffer, sys.stderr, environ).run(app)

    ``wsgi.input`` ends where CONTENT_LENGTH says (S52; D065, D066), and where
    HTTP_TRANSFER_ENCODING is ``chunked``, the body is decoded and that variable taken out
    (S96, D003).
    """

    _input: Any = None  # wsgi.input
    _body: Input | None = None  # the request's body, if it is read through a decoder of ours

    def __init__(
        self,
        stdin: Any,
        stdout: Any,
        stderr: Any,
        environ: WSGIEnvironment,
        multithread: bool = True,
        multiprocess: bool = False,
    ) -> None:
        self.stdin = stdin
        self.stdout = stdout
        self.stderr = stderr
        self.base_env = environ
        self.wsgi_multithread = multithread
        self.wsgi_multiprocess = multiprocess

    def get_stdin(self) -> Any:
        if self._stale:
            self._forget()
        if self._input is None:
            # The environ says more than base_env: a subclass may have completed it. There is
            # none yet if a constructor asks.
            environ = getattr(self, "environ", None)
            known = environ if environ is not None else self.base_env
            if known.get("CONTENT_LENGTH") or known.get("HTTP_TRANSFER_ENCODING"):
                self._input = self._bounded_input(known)
                if environ is not None:
                    # Whoever finds it decodes the body a second time (dulwich does).
                    environ.pop("HTTP_TRANSFER_ENCODING", None)
            elif known.get("wsgi.input_terminated"):
                self._input = self.stdin
            else:
                self._input = io.BytesIO()  # a request without a body (D066)
        return self._input

    def get_stderr(self) -> Any:
        if self.stderr is None:
            self.stderr = DiscardedText()
        return self.stderr

    def add_cgi_vars(self) -> None:
        self.environ.update(self.base_env)

    def _forget(self) -> None:
        super()._forget()
        self._input = self._body = None

    def before_reading(self) -> Callable[[], object] | None:
        """What is to be done before the first read of the body; for subclasses (S92)."""
        return None

    def _bounded_input(self, variables: WSGIEnvironment) -> Any:
        if variables.get("wsgi.input_terminated"):
            return self.stdin  # a stream that ends where the body ends, already
        decoder = self._body_decoder(variables)
        if decoder is None:
            return io.BytesIO() if self.stdin is None else self.stdin
        source = self._body_source(decoder)
        self._body = Input(decoder, file_receiver(source), self.before_reading())
        return self._body

    def _body_source(self, decoder: Decoder) -> Any:
        """The file that has the body's bytes."""
        return self.stdin

    def _body_decoder(self, variables: WSGIEnvironment) -> Decoder | None:
        coding = variables.get("HTTP_TRANSFER_ENCODING")
        length = variables.get("CONTENT_LENGTH")
        if length:
            length = str(length)
        if not self.origin_server and coding:
            # A gateway has decoded the body. Without a length it ends with the stream.
            if not length:
                return None
            coding = None
        version = variables.get("SERVER_PROTOCOL", "HTTP/1.1")
        try:
            return body_decoder(version, [coding] if coding else [], [length] if length else [])
        except ProtocolError as fault:
            self._peer_fault = fault
            raise

    def _request_body(self) -> object:
        return self._body

    def _write(self, data: bytes) -> None:
        written = self.stdout.write(data)
        if written is None or written == len(data):
            return
        from warnings import warn  # for a rare case

        warn(
            "SimpleHandler.stdout.write() should not do partial writes",
            DeprecationWarning,
            stacklevel=2,
        )
        # None is "all of it" here as above: with data[None:] this would never end.
        while written is not None and (data := data[written:]):
            written = self.stdout.write(data)

    def _flush(self) -> None:
        self.stdout.flush()


class BaseCGIHandler(SimpleHandler):
    """A handler for gateways that read a ``Status:`` field instead of a status line: CGI,
    FastCGI, SCGI and their like. Same parameters as :class:`SimpleHandler`."""

    origin_server = False


class DiscardedText(io.TextIOBase):
    """``wsgi.errors`` where the process has no stderr (pythonw, a daemon; D070)."""

    def writable(self) -> bool:
        return True

    def write(self, s: str, /) -> int:
        return len(s)
