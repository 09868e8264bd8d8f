"""One call of an application, watched from the start to the end of its result.

Exchange.begin            the environ is looked at, its streams are replaced
  Exchange                  is itself the start_response that the application gets
    Write                     and this the write() that it returns
  Exchange.returned         what the application returned
    yielded, exhausted        each block, and the end
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from quaich.conformance.checker import site
from quaich.conformance.checker.environ import check_environ
from quaich.conformance.checker.response import (
    LAST_CHUNK,
    check_exc_info,
    check_headers,
    check_status,
    check_together,
    declared_length,
    is_chunks,
)
from quaich.conformance.checker.result import watched
from quaich.conformance.checker.streams import CheckedErrors, CheckedInput
from quaich.conformance.findings import Breach, Report, Where, show

if TYPE_CHECKING:
    from quaich.conformance.checker import Checker

_TINY: Final = 16  # bytes of a block
_MANY: Final = 64  # tiny blocks

# Of a function or a method; others are asked for by functools.wraps() and inspect.
_INSIDE: Final = frozenset({"__self__", "__func__", "__closure__", "__globals__"})
_ASYNC: Final = "An asynchronous application needs a server for ASGI, or an adapter around it."


class Exchange:
    """See the module. Called by one thread at a time, as the application is."""

    __slots__ = (
        "_application",
        "_chunks",
        "_code",
        "_declared",
        "_file_wrappers",
        "_has_begun",
        "_headers",
        "_is_head",
        "_may_content",
        "_report",
        "_start_response",
        "_started",
        "_tiny",
        "_total",
        "_trapped",
        "_was_late",
        "_wrapper",
        "blocks",
        "closed_instead",
        "has_failed",
        "has_returned",
        "inner",
        "is_over",
        "length",
        "outer",
    )

    def __init__(self, checker: "Checker", start_response: Any) -> None:
        self._application = checker.application
        self._report: Report = checker.report
        self.inner = checker.inner
        self.outer = checker.outer
        self._start_response = start_response
        self._started = 0  # calls of start_response, successful or not
        self._has_begun = False  # a call of start_response has succeeded
        self._was_late = False  # a block came before it
        self._trapped = False  # start_response has raised what came in exc_info
        self._headers: tuple[list[Any], list[Any]] | None = None  # the list, and a copy
        self._code = ""
        self._declared: int | None = None  # bytes, as Content-Length says
        self._may_content = True
        self._is_head = False
        self._total = 0  # bytes of content so far
        self._tiny = 0
        self._chunks: bytes | None = None  # the last block, if all so far look like chunks
        self.closed_instead: Where | None = None  # where an iterator over the result was closed
        self.blocks = 0  # of the result
        self.length: int | None = None  # len() of the result, as the server has got it
        self.has_returned = False
        self.has_failed = False
        self.is_over = False
        self._wrapper: Any = None
        self._file_wrappers: list[Any] = []

    # --- Findings -----------------------------------------------------------------------------

    def note(self, breach: Breach, party: str, where: Where | None = None) -> None:
        """Report a breach of whoever is ``inner`` or ``outer``."""
        who = self.inner if party == "inner" else self.outer
        self._report.add(breach, who, where or site.caller())

    def note_late(self, breach: Breach, where: Where | None) -> None:
        """Report what is found out when nobody is there to be told by an exception. Of a server
        in C there is no place; the application's is better than none."""
        self._report.add_late(breach, self.outer, where or site.of(self._application))

    def _note_at(self, source: Any, breach: Breach) -> None:
        """Report a breach of the application's that was written where ``source`` was; None: by
        who calls. Iterators of the standard library are not at fault."""
        where = None
        if source is not None:
            where = site.of(source)
            if not where.line:
                where = site.of(self._application)
        self.note(breach, "inner", where)

    # --- The call -----------------------------------------------------------------------------

    def begin(self, environ: Any) -> None:
        """Look at the environ, and put streams into it that are watched."""
        for breach in check_environ(environ):
            self.note(breach, "outer")
        if not isinstance(environ, dict):
            return
        self._is_head = environ.get("REQUEST_METHOD") == "HEAD"
        if "wsgi.input" in environ:
            length = -1
            if not environ.get("wsgi.input_terminated"):
                text = environ.get("CONTENT_LENGTH") or "0"
                if isinstance(text, str) and text.isascii() and text.isdigit() and len(text) < 20:
                    length = int(text)
            environ["wsgi.input"] = CheckedInput(environ["wsgi.input"], length, self.note)
        if "wsgi.errors" in environ:
            environ["wsgi.errors"] = CheckedErrors(environ["wsgi.errors"], self.note)
        wrapper = self._wrapper = environ.get("wsgi.file_wrapper")
        if wrapper is not None and not isinstance(wrapper, type) and callable(wrapper):
            # What it returns is to reach the server as it is; a class tells that by itself.
            environ["wsgi.file_wrapper"] = self._wrap_file

    def _wrap_file(self, *args: Any, **keywords: Any) -> Any:
        wrapped = self._wrapper(*args, **keywords)
        self._file_wrappers.append(wrapped)
        return wrapped

    # --- start_response -----------------------------------------------------------------------

    def __call__(self, *args: Any, **keywords: Any) -> Any:
        """start_response, as the application gets it."""
        if keywords:
            self.note(
                Breach("A04", f"start_response is called with keywords: {', '.join(keywords)}"),
                "inner",
            )
            return self._start_response(*args, **keywords)  # raises, as the server's would
        count = len(args)
        if not 2 <= count <= 3:
            self.note(Breach("A04", f"start_response is called with {count} arguments"), "inner")
            return self._start_response(*args)
        exc_info = args[2] if count == 3 else None
        self._check_order(exc_info)
        self._started += 1
        status, headers = args[0], args[1]
        is_sound = True
        for check, value in ((check_status, status), (check_headers, headers)):
            for breach in check(value):
                is_sound = False
                self.note(breach, "inner")
        if is_sound:
            self._check_sound(status, headers)
        if exc_info is not None:
            for breach in check_exc_info(exc_info):
                self.note(breach, "inner")
        elif is_sound and status[0] == "5" and site.is_handling():
            self.note(
                Breach("A35", f"an error is answered with {show(status)}, without exc_info"),
                "inner",
            )
        try:
            write = self._start_response(*args)
        except BaseException:
            self._trapped = self._trapped or bool(exc_info)
            args, exc_info = (), None  # this frame is in the traceback: no circle
            raise
        self._has_begun = True
        if is_sound:
            self._headers = (headers, headers[:])
        if not callable(write):
            breach = Breach("S13", f"start_response returns {show(write)}")
            self.note(breach, "outer", site.of_server(self._start_response))
        return Write(write, self)

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._start_response, name)
        if name in _INSIDE or not name.startswith("__"):
            self.note(Breach("A03", f"the attribute {name} of start_response is used"), "inner")
        return value

    def __deepcopy__(self, memo: dict[int, Any]) -> "Exchange":
        return self  # as of a function

    def _check_order(self, exc_info: Any) -> None:
        self._check_trapped("start_response is called", None)
        if self.is_over:
            self.note(Breach("A14", "start_response is called after the response"), "inner")
        elif self._started and not exc_info:
            if self._has_begun:
                breach = Breach("A14", "start_response is called again without exc_info")
            else:
                breach = Breach(
                    "A15", "start_response is called again after it failed, without exc_info"
                )
            self.note(breach, "inner")

    def _check_sound(self, status: str, headers: list[tuple[str, str]]) -> None:
        code = self._code = status[:3]
        self._declared = declared_length(headers)
        if code in ("204", "401", "405"):
            for breach in check_together(status, {name.lower() for name, _ in headers}):
                self.note(breach, "inner")
        self._may_content = code not in ("204", "205", "304")

    def _check_trapped(self, what: str, source: Any) -> None:
        if self._trapped:
            self._trapped = False  # once is enough
            breach = Breach("A13", f"{what} after start_response has raised what came in exc_info")
            self._note_at(source, breach)

    # --- Content ------------------------------------------------------------------------------

    def returned(self, result: Any) -> Any:
        """Look at what the application returned; gives what the server is to get."""
        self.has_returned = True
        if self._headers is not None:
            self._check_list(self._application)
        kind = type(result)
        if kind is list or kind is tuple:
            self._check_done()
            for block in result:
                self._check_block(block, "the result holds", self._application)
            self._check_end(self._application)
            self.is_over = True
            return result
        if self._wrapper is not None and self._is_wrapped_file(result):
            self._check_done()
            return result
        is_iterable = hasattr(kind, "__iter__") or hasattr(kind, "__getitem__")
        if not is_iterable or issubclass(kind, (str, bytes)):
            what = f"the application returns {show(result)}, no iterable of blocks"
            is_async = hasattr(kind, "__await__") or hasattr(kind, "__aiter__")
            self._note_at(self._application, Breach("A17", what, hint=_ASYNC if is_async else None))
            return result
        return watched(result, self)

    def _check_list(self, source: Any) -> None:
        """Whether the application has left the list of headers alone. From here on the server may
        change it, when it sends the head."""
        headers, self._headers = self._headers, None
        if headers is not None and headers[0] != headers[1]:
            breach = Breach("A47", "the list of headers is changed after start_response")
            self._note_at(source, breach)

    def _is_wrapped_file(self, result: Any) -> bool:
        if isinstance(self._wrapper, type):
            try:
                if isinstance(result, self._wrapper):
                    return True
            except Exception:  # of a proxy, whose __class__ fails
                return False
        return any(result is each for each in self._file_wrappers)

    def _check_done(self) -> None:
        """What has to be done when a result is returned that runs no code of the application's."""
        if self._trapped:
            self._check_trapped("a result is returned", self._application)
        if not self._started:
            breach = Breach("A16", "start_response has not been called")
            self._note_at(self._application, breach)

    def yielded(self, block: Any, result: Any) -> None:
        """A block of the iterable."""
        self.blocks += 1
        if self._headers is not None:
            self._check_list(result)
        if self._trapped:
            self._check_trapped("a block is given", result)
        if not self._started and not self._was_late:
            breach = Breach("A16", "a block is given before start_response is called")
            self._note_at(result, breach)
            self._was_late = True  # once is enough
        self._check_block(block, "the result gives", result)

    def exhausted(self, result: Any) -> None:
        """The iterable has no more blocks."""
        if self.is_over:
            return  # asked again
        self.is_over = True
        if self._headers is not None:
            self._check_list(result)
        if self._trapped:
            self._check_trapped("the result ends", result)
        if not self._started and not self._was_late:
            breach = Breach("A16", "the result ends, and start_response has not been called")
            self._note_at(result, breach)
        if hasattr(type(result), "__len__"):
            self._check_length(result)
        self._check_end(result)

    def _check_length(self, result: Any) -> None:
        """By what the server has been told. If it has not asked, by what it would be told now: a
        len() that fails is not relied on, and 0 may be what is left."""
        length = self.length
        if length is None:
            try:
                length = len(result) or self.blocks
            except Exception:
                return
        if length != self.blocks:
            breach = Breach("A19", f"len() of the result is {length}, and it gives {self.blocks}")
            self._note_at(result, breach)

    def closed(self) -> None:
        """The server has closed the result."""
        self.is_over = True

    def written(self, args: tuple[Any, ...], keywords: dict[str, Any]) -> None:
        """The application calls write()."""
        self._check_list(None)
        self._check_trapped("write() is called", None)
        if self.is_over:
            self.note(Breach("A23", "write() is called after the response"), "inner")
        elif self.has_returned:
            self.note(Breach("A23", "write() is called by the iterable"), "inner")
        if keywords:
            what = ", ".join(keywords)
            self.note(Breach("A24", f"write() is called with keywords: {what}"), "inner")
        elif len(args) != 1:
            self.note(Breach("A24", f"write() is called with {len(args)} arguments"), "inner")
        else:
            self.note(Breach("A22", "write() is used"), "inner")
            self._check_block(args[0], "write() is called with", None)

    def _check_block(self, block: Any, verb: str, source: Any) -> None:
        if type(block) is not bytes:
            self._note_at(source, Breach("A18", f"{verb} {show(block)}, not bytes"))
            return
        size = len(block)
        if not size:
            return
        before, self._total = self._total, self._total + size
        declared = self._declared
        if self._chunks is not None if before else block[-2:] == b"\r\n":
            is_whole = declared is None and self._code != "" and is_chunks(block)
            self._chunks = block if is_whole else None
        if declared is not None and self._total > declared >= before and not self._is_head:
            breach = Breach("A37", f"more than the {declared} bytes of Content-Length are given")
            self._note_at(source, breach)
        if not self._may_content:
            rule = "H124" if self._code == "205" else "H120"
            breach = Breach(
                rule,
                f"content is given for status {self._code}, which has none",
                hint="Return no content with this status; the server has to drop it otherwise.",
            )
            self._note_at(source, breach)
            self._may_content = True  # once is enough
        if size < _TINY:
            self._tiny += 1
            if self._tiny == _MANY:
                breach = Breach("A21", f"{_MANY} blocks are smaller than {_TINY} bytes")
                self._note_at(source, breach)

    def _check_end(self, source: Any) -> None:
        declared = self._declared
        if self._chunks is not None and self._chunks.endswith(LAST_CHUNK):
            breach = Breach("A36", "the content is made of chunks with their sizes", "warning")
            self._note_at(source, breach)
        if (
            declared is not None
            and self._total < declared
            and not self._is_head
            and self._code not in ("204", "205", "304")
            and not self.has_failed
        ):
            what = f"Content-Length says {declared} bytes, and {self._total} are given"
            self._note_at(source, Breach("A37", what))


class Write:
    """The write() that start_response returns."""

    __slots__ = ("_exchange", "_write")

    def __init__(self, write: Callable[..., Any], exchange: Exchange) -> None:
        self._write = write
        self._exchange = exchange

    def __call__(self, *args: Any, **keywords: Any) -> Any:
        self._exchange.written(args, keywords)
        return self._write(*args, **keywords)

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._write, name)
        if name in _INSIDE or not name.startswith("__"):
            self._exchange.note(Breach("A03", f"the attribute {name} of write() is used"), "inner")
        return value

    def __deepcopy__(self, memo: dict[int, Any]) -> "Write":
        return self  # as of a function
