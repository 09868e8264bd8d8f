"""The trials: each calls the application in a way that a server may, and says what a difference
to the ordinary way means.

A :class:`Battery` runs them on one target after the other. What happens within a call the checker
sees (quaich.conformance.checker); a trial judges what comes of it.
"""

import re
import threading
import traceback
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from quaich.conformance.check.gateway import (
    HOST,
    ORDINARY,
    Answer,
    Content,
    Oddity,
    call,
    environ_of,
)
from quaich.conformance.check.targets import Target
from quaich.conformance.checker import Checker, checker, site
from quaich.conformance.findings import Breach, Report, Where, show
from quaich.conformance.rules import Severity
from quaich.types import WSGIApplication, WSGIEnvironment

PARTY: Final = "application"

_LARGE: Final = 2 * 1024 * 1024  # bytes of content: more than a framework keeps in memory
_TOGETHER: Final = 8  # threads
_TIMEOUT: Final = 30.0  # seconds, for threads that are stuck

_OPTIONAL: Final = (
    *("SCRIPT_NAME", "QUERY_STRING", "CONTENT_TYPE", "CONTENT_LENGTH", "SERVER_SOFTWARE"),
    *("GATEWAY_INTERFACE", "REMOTE_ADDR", "REMOTE_PORT", "HTTP_HOST", "HTTP_USER_AGENT"),
    *("HTTP_ACCEPT", "wsgi.file_wrapper"),
)


# Without these it would be another request, if they are not empty.
_MEANT: Final = frozenset({"QUERY_STRING", "CONTENT_TYPE", "CONTENT_LENGTH"})


class Battery:
    """The trials of one application. ``asked``: requests so far; ``by_trial``: of each trial."""

    def __init__(self, application: WSGIApplication, report: Report, host: str = HOST) -> None:
        self.application = application
        self._host = host
        self.report = report
        self.by_trial: Counter[str] = Counter()
        self._checked = checker(application, report, inner=PARTY, outer="quaich check")
        self._trial = ""
        self.is_stuck = False
        """A request does not return; another would not either."""

    @property
    def asked(self) -> int:
        """Requests so far."""
        return self.by_trial.total()

    def run(self, target: Target, whole: bool = True) -> Answer:
        """All trials on a target, or only the ordinary request; returns the answer to that."""
        self.report.request = str(target)
        self._trial = "the request as it is"
        first = self._ask(target)
        self._judge_failure(first)
        if not whole:
            return first
        for name, trial in TRIALS:
            if self.is_stuck:
                break
            self._trial = name
            trial(self, target, first)
        return first

    # --- What trials are made of ----------------------------------------------------------------

    def environ(self, target: Target, **more: Any) -> WSGIEnvironment:
        """The ordinary environ for a target; ``more`` replaces and adds, with ``__`` for a dot."""
        environ = environ_of(
            target.method,
            _decoded(target.path),
            target.query,
            target.content,
            target.content_type,
            host=self._host,
        )
        environ.update({key.replace("__", "."): value for key, value in more.items()})
        return environ

    def ask(self, environ: WSGIEnvironment, oddity: Oddity = ORDINARY) -> Answer:
        """One request, with the checker in between."""
        self.by_trial[self._trial] += 1
        answer = call(self._checked, environ, oddity)
        if answer.file is not None:
            self._judge_file(answer, environ.get("REQUEST_METHOD") == "HEAD")
        return answer

    def _ask(self, target: Target, **more: Any) -> Answer:
        return self.ask(self.environ(target, **more))

    def compare(self, first: Answer, answer: Answer, rule: str, what: str) -> None:
        """A breach if the application answers the ordinary request and not this one."""
        if not first.failed and answer.failed:
            self.add(Breach(rule, f"{what}, {_outcome(answer)}"), answer.error)

    def differ(self, first: Answer, answer: Answer, rule: str, what: str) -> None:
        """As :meth:`compare`, for an answer that should be as good as the other."""
        self.compare(first, answer, rule, what)
        if first.failed or answer.failed:
            return
        if answer.status[:3] == "500" and first.status[0] != "5":
            self.add(Breach(rule, f"{what}, it answers with {show(answer.status)}"))
        elif first.content and not answer.content and answer.status == first.status:
            what = f"{what}, it gives no content, where it gave {len(first.content)} bytes"
            self.add(Breach(rule, what))

    def in_time(self, work: Callable[[], None], rule: str, what: str) -> bool:
        """Do something in a thread of its own; a breach if that does not end."""
        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        thread.join(_TIMEOUT)
        if thread.is_alive():
            self.is_stuck = True
            self.add(Breach(rule, f"{what}, it does not return in {_TIMEOUT:g} seconds"))
        return not self.is_stuck

    def _judge_failure(self, answer: Answer) -> None:
        error = answer.error
        if error is None or isinstance(error, AssertionError) or _has_no_read(answer.file):
            return
        rule = "A35"
        match error:
            case TypeError() if _is_of_the_call(error):
                rule = "A01"
            case KeyError(args=[str(key)]) if key in _OPTIONAL:
                rule = "A29"
            case KeyError(args=[str(key)]) if _is_of_a_server(key):
                rule = "A49"
        self.add(Breach(rule, f"the application raises {_named(error)}"), error)

    def _judge_file(self, answer: Answer, is_head: bool) -> None:
        """What the application has given to ``wsgi.file_wrapper`` (A45, A46)."""
        given = f"wsgi.file_wrapper is given {show(answer.file)}"
        if _has_no_read(answer.file):
            self.add(Breach("A45", f"{given}, which has no read()"))
        elif answer.no_bytes is not None:
            self.add(Breach("A45", f"{given}, whose read() gives {show(answer.no_bytes[0])}"))
        elif answer.error is None and not answer.cut and not is_head:
            length, size = answer.value("content-length").strip(), len(answer.content)
            if length.isdecimal() and len(length) < 20 and size < int(length):
                what = f"{given}, which gives {size} bytes, and Content-Length says {length}"
                self.add(Breach("A46", what))

    def add(self, breach: Breach, error: BaseException | None = None) -> None:
        """Report a breach, at the place where the error was raised."""
        where = site.of(self.application) if error is None else _raised_at(error, self.application)
        self.report.add(breach, PARTY, where)


Trial = Callable[[Battery, Target, Answer], None]

# --- The trials -------------------------------------------------------------------------------


def again(battery: Battery, target: Target, first: Answer) -> None:
    """The same request again (A02), and on a server that says run_once (A43)."""
    second = battery.ask(battery.environ(target))
    battery.differ(first, second, "A02", "called a second time")
    for _ in range(2):
        answer = battery.ask(battery.environ(target, wsgi__run_once=True))
        if second.failed:  # then there is only the first to compare with
            battery.compare(first, answer, "A43", "called again although run_once is true")
        else:
            battery.differ(second, answer, "A43", "called again although run_once is true")


def together(battery: Battery, target: Target, first: Answer) -> None:
    """By several threads at once (A02)."""
    answers: list[Answer] = []
    barrier = threading.Barrier(_TOGETHER)

    def one() -> None:
        barrier.wait(_TIMEOUT)
        answers.append(battery.ask(battery.environ(target)))

    threads = [threading.Thread(target=one, daemon=True) for _ in range(_TOGETHER)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(_TIMEOUT)
    if len(answers) < _TOGETHER:
        battery.is_stuck = True
        battery.add(Breach("A02", f"called by {_TOGETHER} threads at once, it does not return"))
    for answer in answers:
        battery.differ(first, answer, "A02", f"called by {_TOGETHER} threads at once")


def head(battery: Battery, target: Target, first: Answer) -> None:
    """HEAD where GET is answered (H137, H123). To support it is the duty of the whole that is on
    the network, so that an application leaves it out is a warning."""
    if target.method != "GET" or first.failed:
        return
    answer = battery.ask(battery.environ(target, REQUEST_METHOD="HEAD"))
    battery.compare(first, answer, "H137", "called with HEAD")
    if answer.status[:3] in ("405", "501") and first.status[0] == "2":
        message = f"GET is answered with {show(first.status)}, HEAD with {show(answer.status)}"
        battery.add(Breach("H137", message, "warning"))
    elif answer.status[:3] == first.status[:3]:
        lengths = [_length(each) for each in (first, answer)]
        if (
            None not in lengths
            and lengths[0] != lengths[1]
            and _length(battery.ask(battery.environ(target))) == lengths[0]  # it does not vary
        ):
            message = f"Content-Length is {lengths[0]} for GET, {lengths[1]} for HEAD"
            battery.add(Breach("H123", message))


def methods(battery: Battery, target: Target, first: Answer) -> None:
    """OPTIONS for the server as a whole, and a method that nobody knows (A35)."""
    for environ in (
        battery.environ(target, REQUEST_METHOD="OPTIONS", PATH_INFO="*", QUERY_STRING=""),
        battery.environ(target, REQUEST_METHOD="BREW"),
    ):
        what = f"called with {environ['REQUEST_METHOD']} {environ['PATH_INFO']}"
        battery.compare(first, battery.ask(environ), "A35", what)


def content(battery: Battery, target: Target, first: Answer) -> None:
    """POST: without content, with a form, with much content, in chunks (A29, A35)."""
    form = b"name=value&other=%C3%A9"
    kind = "application/x-www-form-urlencoded"
    large = b"x" * _LARGE
    answers: dict[str, Answer] = {}
    for what, data, content_type, more in (
        ("without content", b"", "", {"CONTENT_LENGTH": "0"}),
        ("with a form", form, kind, {}),
        ("with 2 MiB of content", large, "application/octet-stream", {}),
    ):
        more = {"CONTENT_LENGTH": str(len(data)), "CONTENT_TYPE": content_type, **more}
        environ = battery.environ(target, REQUEST_METHOD="POST", **more)
        environ["wsgi.input"] = Content(data)
        answers[what] = battery.ask(environ)
        battery.compare(first, answers[what], "A35", f"called with POST {what}")
    # A server that decodes chunks on the way knows no length; the stream ends by itself.
    environ = battery.environ(
        target, REQUEST_METHOD="POST", CONTENT_TYPE=kind, wsgi__input_terminated=True
    )
    environ.pop("CONTENT_LENGTH", None)
    environ["wsgi.input"] = Content(form)
    answer = battery.ask(environ)
    battery.compare(answers["with a form"], answer, "A29", "called with POST and no CONTENT_LENGTH")


def hop_by_hop(battery: Battery, target: Target, first: Answer) -> None:
    """Fields that are between a client and its server only (A38). Who repeats the request in the
    response answers otherwise and is in the right, so that only failures and statuses count."""
    form = "application/x-www-form-urlencoded"
    chunked = {"REQUEST_METHOD": "POST", "CONTENT_TYPE": form, "wsgi__input_terminated": True}
    for ordinary, fields in (
        ({}, {"HTTP_CONNECTION": "close"}),
        ({}, {"HTTP_CONNECTION": "TE", "HTTP_TE": "trailers"}),
        ({}, {"HTTP_KEEP_ALIVE": "timeout=5"}),
        # The server has decoded the chunks, and knows no length.
        (chunked, {"HTTP_TRANSFER_ENCODING": "chunked"}),
    ):

        def ask(more: dict[str, str], ordinary: dict[str, Any] = ordinary) -> Answer:
            environ = battery.environ(target, **ordinary, **more)
            if ordinary:
                environ.pop("CONTENT_LENGTH", None)
                environ["wsgi.input"] = Content(b"name=value")
            return battery.ask(environ)

        before = ask({})
        is_steady = ask({}).status == before.status
        answer = ask(fields)
        if before.failed or not is_steady or ask({}).status != before.status:
            continue  # it varies by itself
        if answer.failed:
            outcome = _outcome(answer)
        elif answer.status != before.status:
            outcome = f"it answers with {show(answer.status)}, not {show(before.status)}"
        else:
            continue
        # There are servers that leave the decoding of chunks to the application, and frameworks
        # that were written for them.
        severity: Severity | None = "warning" if "HTTP_TRANSFER_ENCODING" in fields else None
        what = f"called with {', '.join(fields)}, {outcome}"
        battery.add(Breach("A38", what, severity), answer.error)


def short(battery: Battery, target: Target, first: Answer) -> None:
    """Content that ends before its length: the client has gone, with an error and without."""
    for raises in (False, True):
        environ = battery.environ(
            target,
            REQUEST_METHOD="POST",
            CONTENT_LENGTH="100",
            CONTENT_TYPE="application/x-www-form-urlencoded",
        )
        environ["wsgi.input"] = Content(b"name=val", raises)
        answer = battery.ask(environ)
        if not raises and not isinstance(answer.error, OSError):  # "the client has gone"
            what = "called with content that ends before CONTENT_LENGTH"
            battery.compare(first, answer, "A35", what)


def minimal(battery: Battery, target: Target, first: Answer) -> None:
    """Without the variables that need not be there; if it needs some, which (A29, A44)."""
    optional = [
        key for key in _OPTIONAL if key not in _MEANT or not battery.environ(target).get(key)
    ]
    answer = _without(battery, target, optional)
    if not answer.failed:
        return
    failed = False
    for key in optional:
        one = _without(battery, target, (key,))
        failed = failed or one.failed
        rule = "A44" if key == "wsgi.file_wrapper" else "A29"
        battery.compare(first, one, rule, f"called without {key}")
    if not failed:
        what = "called without all the variables that need not be there"
        battery.compare(first, answer, "A29", what)


def _without(battery: Battery, target: Target, keys: Iterable[str]) -> Answer:
    environ = battery.environ(target)
    for key in keys:
        environ.pop(key, None)
    return battery.ask(environ)


def odd(battery: Battery, target: Target, first: Answer) -> None:
    """Odd, and legal: mounted at a path, HTTP/1.0, octets that are no UTF-8 (A35)."""
    path = _decoded(target.path)
    query = f"{target.query}&" if target.query else ""
    for what, more in (
        ("mounted at /mounted", {"SCRIPT_NAME": "/mounted"}),
        ("with an empty PATH_INFO", {"SCRIPT_NAME": path.rstrip("/"), "PATH_INFO": ""}),
        ("over HTTP/1.0", {"SERVER_PROTOCOL": "HTTP/1.0"}),
        ("with octets in PATH_INFO that are no UTF-8", {"PATH_INFO": f"{path}\xff\xfe"}),
        ("with octets in a header that are no UTF-8", {"HTTP_X_NAME": "caf\xe9\xff"}),
        ("with a long query", {"QUERY_STRING": f"{query}q={'a' * 6000}"}),
        ("with other variables", {"REMOTE_USER": "someone", "example.extension": object()}),
        ("over https", {"wsgi__url_scheme": "https", "HTTPS": "on", "SERVER_PORT": "443"}),
        ("as SERVER_PROTOCOL HTTP/2", {"SERVER_PROTOCOL": "HTTP/2"}),
    ):
        answer = battery.ask(battery.environ(target, **more))
        battery.compare(first, answer, "A35", f"called {what}")


def early(battery: Battery, target: Target, first: Answer) -> None:
    """The result is closed before it has been used up, and before it has been begun (A20)."""

    def close() -> None:
        before = battery.ask(battery.environ(target))
        for blocks in (0, 1):
            answer = battery.ask(battery.environ(target), Oddity(stop_after=blocks))
            if answer.close_error is not None and first.close_error is None:
                error = answer.close_error
                what = f"closed after {blocks} blocks, the result raises {_named(error)}"
                battery.add(Breach("A20", what), error)
        battery.ask(battery.environ(target), Oddity(gone=True))
        answer = battery.ask(battery.environ(target))
        battery.differ(before, answer, "A20", "called after a result that was closed early")

    battery.in_time(close, "A20", "called after a result that was closed early")


def edited(battery: Battery, target: Target, first: Answer) -> None:
    """The server changes the list of headers, as it may (A47)."""
    for _ in range(2):
        answer = battery.ask(battery.environ(target), Oddity(edits_headers=True))
        battery.compare(first, answer, "A47", "with its list of headers changed")
    names = Counter(name.lower() for name, _ in answer.headers)
    if not answer.failed and names["x-quaich-check"]:
        battery.add(Breach("A47", "what the server added to the list of headers comes again"))


TRIALS: Final[tuple[tuple[str, Trial], ...]] = (
    ("again", again),
    ("by several threads", together),
    ("HEAD", head),
    ("other methods", methods),
    ("POST", content),
    ("hop-by-hop fields", hop_by_hop),
    ("content that breaks off", short),
    ("a minimal environ", minimal),
    ("an odd environ", odd),
    ("closed early", early),
    ("headers edited", edited),
)

# --- Words ------------------------------------------------------------------------------------


def _has_no_read(file: object) -> bool:
    return file is not None and not callable(getattr(file, "read", None))


def _is_of_the_call(error: BaseException) -> bool:
    """Whether the application was not even entered: it does not take two arguments."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    return bool(frames) and frames[-1].f_code is Checker.__call__.__code__


def _is_of_a_server(key: str) -> bool:
    """A variable that a server, or a middleware, may have added: it is called ``server.what``."""
    return re.fullmatch(r"[a-z0-9_]+(\.[a-z0-9_]+)+", key) is not None


def _decoded(path: str) -> str:
    return unquote_to_bytes(path).decode("latin-1")


def _length(answer: Answer) -> str | None:
    return next((value for name, value in answer.headers if name.lower() == "content-length"), None)


def _named(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}"[:200] if text else type(error).__name__


def _outcome(answer: Answer) -> str:
    if answer.error is None:
        return "it gives no status"
    return f"the application raises {_named(answer.error)}"


def _raised_at(error: BaseException, application: WSGIApplication) -> Where:
    """The innermost line of the application's, or of a library of it, that raised."""
    where = site.of(application)
    for frame, line in traceback.walk_tb(error.__traceback__):
        if not frame.f_code.co_filename.startswith(site.OURS):
            where = Where(frame.f_code.co_filename, line, frame.f_code.co_qualname)
    return where
