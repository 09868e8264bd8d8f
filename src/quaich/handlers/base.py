"""The course of one request, as a class of small steps that subclasses override.

The steps decide nothing themselves: what start_response accepts, how the body is delimited,
what close() owes are functions of :mod:`quaich.exchange` and :mod:`quaich.protocol`. ::

    run
      setup_environ              add_cgi_vars, get_stdin, get_stderr, get_scheme
      application(environ, start_response)
      finish_response            sendfile, or for each block:
        write                    the first one: send_headers
          send_headers           cleanup_headers (set_content_length), send_preamble
      finish_content
      close
    handle_error                 log_exception, error_output → finish_response, or abort
"""

import logging
import sys
from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from typing import Any, Final

from quaich.exchange.response import (
    check_block,
    check_headers,
    check_restart,
    check_result,
    check_status,
    close_result,
)
from quaich.handlers.cgi_environ import read_environ
from quaich.handlers.head import ResponseHead, is_bound_to
from quaich.headers import Headers, of_checked
from quaich.protocol.body import LAST_CHUNK, encode_chunk
from quaich.protocol.errors import PEER_GONE, ProtocolError
from quaich.protocol.framing import ResponsePlan, implied_length, known_total
from quaich.types import WSGIApplication, WSGIEnvironment
from quaich.util import guess_scheme

logger = logging.getLogger("quaich.handlers")

# Up to this size the first block is copied behind the head, for one write instead of two.
_JOIN_MAX: Final = 64 * 1024


def _chain(error: BaseException, *, implicit: bool) -> Iterator[BaseException]:
    """The exception and what it was raised ``from``; if ``implicit``, also what was being handled
    when it was raised. No further than 20 of them: a chain can be a ring."""
    seen: BaseException | None = error
    for _ in range(20):
        if seen is None:
            break
        yield seen
        following = seen.__cause__
        if following is None and implicit and not seen.__suppress_context__:
            following = seen.__context__
        seen = following


class BaseHandler(ResponseHead):
    """One call of an application; subclasses say where its bytes come from and go to.

    A subclass must define :meth:`_write`, :meth:`_flush`, :meth:`get_stdin`,
    :meth:`get_stderr` and :meth:`add_cgi_vars`.
    """

    # Configuration; for a class or an instance to override.
    wsgi_version = (1, 0)
    wsgi_multithread = True
    wsgi_multiprocess = True
    wsgi_run_once = False

    os_environ: dict[str, str] = read_environ()
    """Where each environ begins. The process's environment, as of import."""

    # Collaborators.
    headers_class: Any = Headers

    # Error handling.
    traceback_limit: int | None = None
    error_status = "500 Internal Server Error"
    error_headers = [("Content-Type", "text/plain")]
    error_body = b"A server error occurred.  Please contact the administrator."

    # State of one request, reset by close().
    aborted = False
    """The response was begun and could not be finished; what went out must not look whole."""

    _end = ""  # "broken off" or "complete": nothing may be sent any more, whatever fails
    # close() has been called: what is still here is of the last request. Asked by each step
    # that can be the first of the next one, because any of them may be replaced.
    _stale = False
    _start_called = False
    _closed: object = None  # the result whose close() has been called
    _peer_fault: BaseException | None = None

    # --- The course of a request --------------------------------------------------------

    def run(self, application: WSGIApplication) -> None:
        """Call ``application`` and send what it answers.

        An exception of the application is logged and answered by :meth:`handle_error`. The
        client's going away ends the request quietly. KeyboardInterrupt, SystemExit and their
        like are not the application's errors: they clean up and go on (D099). An exception of
        :meth:`handle_error` itself does so too.
        """
        if self._stale or self._start_called:
            self._forget()
        try:
            self.setup_environ()
            self.result = application(self.environ, self.start_response)
            self.finish_response()
        except Exception as error:
            try:
                self._end_after(error)
            except BaseException as second:
                fault = self._fault_of_peer(second) if isinstance(second, Exception) else None
                self._give_up()
                if fault is None:
                    raise
        except SystemExit:
            # Meant for the process, and yet the client's request failed (D099).
            try:
                self.handle_error()
            except Exception:
                logger.debug("answering before an exit failed", exc_info=True)
            if not self._stale:
                self._give_up()
            raise
        except BaseException:
            self._give_up()
            raise

    def _end_after(self, error: Exception) -> None:
        fault = self._fault_of_peer(error)
        if fault is None:
            self.handle_error()
            return
        if all(seen is not fault for seen in _chain(error, implicit=False)):
            # An error of the application's own, while it dealt with the peer's: its traceback
            # is worth having.
            self.log_exception(sys.exc_info())
        self._end_for(fault)

    def setup_environ(self) -> None:
        """Make ``self.environ`` for one request."""
        if self._stale:
            self._forget()
        environ: WSGIEnvironment = self.os_environ.copy()
        self.environ = environ
        self.add_cgi_vars()
        self._method = environ.get("REQUEST_METHOD", "")
        self._protocol = environ.get("SERVER_PROTOCOL")

        environ["wsgi.input"] = self.get_stdin()
        environ["wsgi.errors"] = self.get_stderr()
        environ["wsgi.version"] = self.wsgi_version
        environ["wsgi.run_once"] = self.wsgi_run_once
        environ["wsgi.url_scheme"] = self.get_scheme()
        environ["wsgi.multithread"] = self.wsgi_multithread
        environ["wsgi.multiprocess"] = self.wsgi_multiprocess
        if self.wsgi_file_wrapper is not None:
            environ["wsgi.file_wrapper"] = self.wsgi_file_wrapper
        if self.origin_server and self.server_software:
            environ.setdefault("SERVER_SOFTWARE", self.server_software)

    def finish_response(self) -> None:
        """Send the blocks of ``self.result``, then close it and the handler.

        For asynchronous servers to replace: their version sets up the iteration and calls
        :meth:`close` when it is over.
        """
        result: Any = self.result
        try:
            if type(result) is not list:
                check_result(result)
            if not self.result_is_file() or not self.sendfile():
                result = self.result  # a sendfile() may have put another in its place
                for data in result:
                    # An empty block sends nothing, so it may not send the head (S66, D084).
                    if data or type(data) is not bytes:
                        self.write(data)
                        plan = self._plan
                        if (
                            plan is not None
                            and plan.length is not None
                            and self.bytes_sent >= plan.length
                        ):
                            if type(result) is list and len(result) > 1:
                                self._report_rest(result, plan)
                            break  # what the application may still give could not be sent
                self.finish_content()
        except BaseException:
            # Only the iterable: after an error, the handler's state is still wanted.
            self._close_result()
            raise
        self._end = "complete"
        self.close()

    def get_scheme(self) -> str:
        """``wsgi.url_scheme``."""
        return guess_scheme(self.environ)

    def close(self) -> None:
        """Close the result and forget the request. Subclasses may drop the connection too.

        An exception of the result's ``close()`` is logged: the response is out (D100).
        """
        if self.headers_sent and not self._end:
            self._end = "broken off"
        try:
            if type(self.result) is not list:
                self._close_result()
        finally:
            self.result = self.headers = self.status = None
            self.bytes_sent = 0
            self.headers_sent = self._start_called = False
            self._plan = self._section = self._closed = None
            self._stale = True
            self.environ = None  # type: ignore[assignment]  # pinned by wsgiref's contract

    def _forget(self) -> None:
        """Begin anew, for an instance that has run before, whatever became of that."""
        self.result = self.headers = self.status = None
        self.bytes_sent = 0
        self.headers_sent = self._start_called = self._framed = self.aborted = False
        self._plan = self._section = self._closed = self._peer_fault = None
        self._method = self._protocol = None
        self._end = ""
        self._stale = False

    def _close_result(self) -> None:
        result = self.result
        if result is None or result is self._closed:
            return
        self._closed = result
        try:
            close_result(result)
        except Exception:
            self.log_exception(sys.exc_info())

    def _give_up(self) -> None:
        """abort() what was begun, and close(): for the way out of an error that matters more
        than one in here."""
        steps: list[Callable[[], None]] = [self.close, lambda: BaseHandler.close(self)]
        if self.headers_sent and not self._end and self._peer_fault is None:
            steps.insert(0, self.abort)
        for step in steps:
            try:
                step()
            except Exception:
                logger.debug("closing after an error failed", exc_info=True)

    # --- start_response and write -------------------------------------------------------

    def start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], object]:
        """PEP 3333, The start_response() Callable.

        Everything is checked first and then stored, status and headers together (D075).
        AssertionError, TypeError or ValueError for what must not be sent; a second call
        without ``exc_info`` is an AssertionError; with ``exc_info`` after the headers were
        sent, the exception in it is raised.
        """
        if self._stale:
            self._forget()
        if self._method is None:
            self._method = self.environ.get("REQUEST_METHOD", "")  # setup_environ() was replaced
        if exc_info or self._start_called:
            try:
                check_restart(exc_info, called=self._start_called, headers_sent=self.headers_sent)
            finally:
                exc_info = None  # no reference cycle through this frame (S71)
        self._start_called = True
        self._validate_status(status)
        self._section = section = check_headers(headers)
        cls = self.headers_class
        fields = section[0][:]
        self.headers = of_checked(fields) if cls is Headers else cls(fields)
        self.status = status
        return self.write

    _validate_status = staticmethod(check_status)

    def _convert_string_type(self, value: str, title: str) -> str:
        if type(value) is str:
            return value
        raise AssertionError(f"{title} must be of type str (got {value!r})")

    def write(self, data: bytes) -> None:
        """PEP 3333, The write() Callable; the blocks of the result come here as well.

        The first call sends the head, together with its block. What exceeds the declared
        Content-Length is not sent: from write() it is an AssertionError, from the iterable an
        error in the log (S73-S75, D085).
        """
        if type(data) is not bytes:
            check_block(data)
        if not self.status:
            finished = getattr(self, "environ", self) is None
            when = "after the response was finished" if finished else "before start_response()"
            raise AssertionError(f"write() {when}")
        head = b""
        before = self.bytes_sent
        if not self.headers_sent:
            before = 0
            self.bytes_sent = len(data)  # set_content_length() may want it
            try:
                joined = (
                    self.send_headers.__func__ is ResponseHead.send_headers  # type: ignore[attr-defined]
                    and self.send_preamble.__func__ is ResponseHead.send_preamble  # type: ignore[attr-defined]
                )
            except AttributeError:  # replaced on the instance
                joined = False
            if joined:
                # It goes out in one piece with its block (D094).
                head = self._complete_head(framed=True)
            else:
                self._framed = True
                self.send_headers()
        after = before + len(data)
        excess = 0
        plan = self._plan
        if plan is not None:
            if plan.length is not None and after > plan.length:
                excess = after - plan.length
                data, after = data[: plan.length - before], plan.length
            if plan.chunked and data:
                data = encode_chunk(data)
        self.bytes_sent = after
        try:
            if len(data) <= _JOIN_MAX:
                if data or head:
                    self._write(head + data)
            else:
                if head:
                    self._write(head)
                self._write(data)
            self._flush()
        except PEER_GONE as error:
            self._peer_fault = error
            raise
        if excess and plan is not None and plan.has_body:
            result = self.result
            if type(result) is not list or len(result) == 1:  # else _report_rest() knows all
                self._report_excess(excess)

    def _report_rest(self, blocks: list[bytes], plan: ResponsePlan) -> None:
        """What a list has behind its Content-Length is known without iterating on."""
        total = known_total(blocks, None)
        if total is not None and plan.has_body and plan.length is not None and total > plan.length:
            self._report_excess(total - plan.length)

    def _report_excess(self, excess: int) -> None:
        if self.result_is_file():
            return  # a part of a file is a way to use the wrapper (S115)
        message = (
            f"the application gave {excess} bytes more than the Content-Length it declared;"
            " they were not sent (PEP 3333, Handling the Content-Length Header)"
        )
        if self.result is None:  # the application has not returned: this is its own write()
            raise AssertionError(message)
        logger.error("%s %r: %s", self._method, self._request_target(), message)

    def sendfile(self) -> bool:
        """Send the file in ``self.result`` by a way of the platform, if there is one.

        Called if the result is an instance of :attr:`wsgi_file_wrapper`. A subclass that
        sends the file itself calls :meth:`send_headers` first if ``headers_sent`` is false,
        and returns true; then nothing more is sent. False: the file is iterated.
        """
        return False

    def finish_content(self) -> None:
        """Send the head if no block did, and what ends the body."""
        if not self.headers_sent:
            if self.headers is None:
                how = "a successful call of" if self._start_called else "calling"
                raise AssertionError(
                    f"the application returned without {how} start_response (PEP 3333,"
                    " Specification Details)"
                )
            length = implied_length(self._method or "", self.status[:3] if self.status else "", 0)
            if length is not None:
                # The application's own Content-Length stays: it may be answering HEAD.
                self.headers.setdefault("Content-Length", str(length))
            self.send_headers()
            self._send_flush()
        plan = self._plan
        if plan is None or not plan.has_body:
            return
        if plan.chunked:
            self._send(LAST_CHUNK)
            self._send_flush()
        elif plan.length is not None and self.bytes_sent < plan.length:
            logger.error(
                "%s %r: the application declared a Content-Length of %d and gave %d bytes"
                " (PEP 3333, Handling the Content-Length Header)",
                self._method,
                self._request_target(),
                plan.length,
                self.bytes_sent,
            )
            self.abort()

    # --- Errors -------------------------------------------------------------------------

    def handle_error(self) -> None:
        """Log the current exception and answer with an error page, if nothing was sent yet."""
        if self._stale and getattr(self, "environ", None) is not None:
            self._forget()  # a next request, in steps that were replaced
        try:
            self.log_exception(sys.exc_info())
        except (OSError, ValueError):
            # wsgi.errors is closed, or cannot encode the text. The client gets its answer all
            # the same, and the traceback goes where our own messages go.
            logger.exception("the application failed, and wsgi.errors did not take its traceback")
        if self._end == "complete":
            # It was close() that failed: a page behind the response would be the next one's.
            BaseHandler.close(self)
            return
        if self.headers_sent or self._end:
            self.abort()
            return
        # A failed first start_response must not keep the error page from being sent.
        self._start_called = self.headers is not None
        self.result = self.error_output(self.environ, self.start_response)
        self.finish_response()

    def error_output(
        self, environ: WSGIEnvironment, start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """A WSGI application for the error page, called within the ``except`` block.

        It sends :attr:`error_status`, :attr:`error_headers` and :attr:`error_body`. An
        override should not show details of the error to whoever asks.
        """
        start_response(self.error_status, self.error_headers[:], sys.exc_info())
        return [self.error_body]

    def log_exception(self, exc_info: Any) -> None:
        """Write the traceback to ``wsgi.errors``, under a line that names the request."""
        from traceback import print_exception  # rare, and slow to import

        try:
            stderr = self.get_stderr()
            if self._method:
                stderr.write(
                    f"Exception while handling {self._method} {self._request_target()!r}\n"
                )
            print_exception(*exc_info, limit=self.traceback_limit, file=stderr)
            stderr.flush()
        finally:
            exc_info = None

    def abort(self) -> None:
        """The response was begun and cannot be finished (D086, D096; S76, S91).

        Here it is only noted in ``aborted``; a subclass that has the connection must end it
        so that the client does not take what it got for a whole response.
        """
        self.aborted = True

    def _fault_of_peer(self, error: BaseException) -> BaseException | None:
        """The fault of the peer that ``error`` is, or was raised for; else None.

        A ConnectionResetError of the application's database is not one (D097): the handler
        knows what its own reads and writes raised. Where a subclass does the writing itself,
        its word is taken for it.
        """
        known = [self._peer_fault, getattr(self._request_body(), "fault", None)]
        for seen in _chain(error, implicit=True):
            if any(seen is fault for fault in known):
                return seen
        writes_itself = not is_bound_to(self.write, BaseHandler.write) or (
            not is_bound_to(self.sendfile, BaseHandler.sendfile) and self.result_is_file()
        )
        return error if writes_itself and isinstance(error, PEER_GONE) else None

    def _request_target(self) -> str:
        """What was asked for, for the log; "" if nobody knows any more."""
        variables = getattr(self, "base_env", None) or getattr(self, "environ", None) or {}
        return str(variables.get("REQUEST_URI") or variables.get("PATH_INFO", ""))

    def _request_body(self) -> object:
        """The input stream whose errors are the peer's, if it is ours."""
        return None

    def _end_for(self, fault: BaseException) -> None:
        """End the request for a fault of the peer: it is not the application's, so no traceback."""
        logger.debug("%s %r: %s", self._method, self._request_target(), fault, exc_info=True)
        self._close_result()
        if isinstance(fault, TimeoutError):
            code = 408
        else:
            code = fault.status if isinstance(fault, ProtocolError) else 0
        if not code or self.headers_sent or self._end:
            self.aborted = True
            self.close()
            return
        fields = [("Content-Type", "text/plain; charset=utf-8")]
        self.start_response(f"{code} {HTTPStatus(code).phrase}", fields, sys.exc_info())
        self.result = [f"{fault}\n".encode()]
        self.finish_response()

    # --- Bytes out ----------------------------------------------------------------------

    def _send(self, data: bytes) -> None:
        try:
            self._write(data)
        except PEER_GONE as error:
            self._peer_fault = error
            raise

    def _send_flush(self) -> None:
        try:
            self._flush()
        except PEER_GONE as error:
            self._peer_fault = error
            raise

    def _write(self, data: bytes) -> None:
        """Send ``data``, or keep it until :meth:`_flush`."""
        raise NotImplementedError

    def _flush(self) -> None:
        """Send what :meth:`_write` has kept."""
        raise NotImplementedError

    def get_stdin(self) -> Any:
        """``wsgi.input``."""
        raise NotImplementedError

    def get_stderr(self) -> Any:
        """``wsgi.errors``."""
        raise NotImplementedError

    def add_cgi_vars(self) -> None:
        """Put the request's CGI variables into ``self.environ``."""
        raise NotImplementedError
