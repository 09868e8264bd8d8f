"""The application that ``quaich probe`` lets a server serve.

It stands alone: the server under test runs it in its own Python, where Quaich need not be. A
request names a program by its path and itself by the query (``/echo?tag=S51-7``); what a program
notices goes to a log that ``/log?tag=…`` gives back, and that all processes of the server share
if WSGI_PROBE_LOG names a file. Nothing here is an example of a good application: programs try what
servers get wrong.
"""

import ast
import contextlib
import functools
import gc
import io
import json
import os
import sys
import tempfile
import threading
import time
import types
import weakref
from urllib.parse import parse_qs, quote

TEXT = [("Content-Type", "text/plain; charset=utf-8")]

_LOG_FILE = os.environ.get("WSGI_PROBE_LOG")
_log = []  # where there is no file
_lock = threading.Lock()

PROGRAMS = {}


def program(function):
    """Register a program under its name: called with environ, start_response and the request's
    ``Request``."""
    PROGRAMS[function.__name__] = function
    return function


class Request:
    """What the query says, and a place for notes."""

    def __init__(self, environ):
        self.query = {
            key: values[-1] for key, values in parse_qs(environ.get("QUERY_STRING", "")).items()
        }
        self.tag = self.query.get("tag", "")
        self.arguments = []  # with which the application was called: how many, and the keywords

    def number(self, name, default=0):
        """A number in the query."""
        return int(self.query.get(name, default))

    def note(self, event, **facts):
        """Note something, for the prober to read."""
        note(self.tag, event, **facts)


def note(tag, event, **facts):
    """Put an event into the log."""
    record = {"tag": tag, "event": event, "pid": os.getpid(), "time": time.time()}
    record["thread"] = threading.get_ident()
    record.update(facts)
    if _LOG_FILE is None:
        with _lock:
            _log.append(record)
            del _log[:-10000]
    else:
        line = (json.dumps(record) + "\n").encode()
        descriptor = os.open(_LOG_FILE, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, line)
        finally:
            os.close(descriptor)


def records(tag):
    """The events of a tag."""
    if _LOG_FILE is None:
        with _lock:
            every = list(_log)
    else:
        try:
            with open(_LOG_FILE, "rb") as file:
                every = [json.loads(line) for line in file if line.endswith(b"\n")]
        except FileNotFoundError:
            every = []
    return [record for record in every if record["tag"] == tag]


def name_of(value):
    """The type of a value."""
    return type(value).__name__


def as_json(start_response, value):
    """A response that any server can end: with its length."""
    data = json.dumps(value).encode()
    length = ("Content-Length", str(len(data)))
    start_response("200 OK", [("Content-Type", "application/json"), length])
    return [data]


def application(*arguments, **keywords):
    """Call the program that the path names. A path of several segments is the first one's. Takes
    any arguments, to see which have come."""
    environ, start_response = [*arguments, *keywords.values()][:2]
    request = Request(environ)
    request.arguments = [len(arguments), sorted(keywords)]
    name = environ.get("PATH_INFO", "").lstrip("/").split("/")[0]
    return PROGRAMS.get(name, hello)(environ, start_response, request)


# --- Programs ---------------------------------------------------------------------------------


@program
def hello(environ, start_response, request):
    """An ordinary answer."""
    request.note("called", method=environ.get("REQUEST_METHOD"), path=environ.get("PATH_INFO"))
    start_response("200 OK", TEXT + [("Content-Length", "14")])
    return [b"Hello, probe!\n"]


@program
def log(environ, start_response, request):
    """What was noted for a tag."""
    return as_json(start_response, records(request.tag))


@program
def environ(environ, start_response, request):
    """The environ: each name with type and value."""
    request.note("called", method=environ.get("REQUEST_METHOD"), path=environ.get("PATH_INFO"))
    seen = {}
    for key, value in environ.items():
        text = value if isinstance(value, str) else repr(value)
        seen[str(key)] = [name_of(value), text]
    seen[""] = [name_of(environ), ""]  # the environ itself
    return as_json(start_response, seen)


@program
def echo(environ, start_response, request):
    """The content of the request, read as its length says, or to the end without one."""
    length = environ.get("CONTENT_LENGTH")
    stream = environ["wsgi.input"]
    try:
        data = stream.read(int(length)) if length else stream.read()
    except Exception as error:
        request.note("read failed", error=repr(error))
        raise
    request.note("read", size=len(data), type=name_of(data), length=length)
    start_response("200 OK", [("Content-Type", "application/octet-stream")])
    return [data]


# --- WSGI: what trials of calls, environ and responses need -----------------------------------

if _LOG_FILE is not None:  # in a server: what is in its environment is of no request
    os.environ["HTTP_X_QUAICH_PROBE_PROCESS"] = "this is no field"
    with contextlib.suppress(UnicodeEncodeError):  # in the locale's encoding
        os.environ["PROBE_WORD"] = "caf\u00e9 \u20ac"


class ProbeError(Exception):
    """What programs raise, unless they are to raise something else."""


class Play:
    """Takes the steps that a trial has written, in the call and in the iteration."""

    def __init__(self, start_response, request):
        self.start_response = start_response
        self.request = request
        self.write = None

    def take(self, step):
        """Take a step. Returns a block to be yielded, or None."""
        if not isinstance(step, tuple):
            return step
        action, arguments = step[0], list(step[1:])
        if action == "zeros":
            return bytes(arguments[0])
        if action == "octets":
            return bytes(range(256))
        if action == "view":
            return memoryview(arguments[0])
        if action == "array":
            return bytearray(arguments[0])
        if action == "sleep":
            time.sleep(arguments[0])
        elif action == "note":
            self.request.note(arguments[0])
        elif action == "fail":
            kind = ConnectionResetError if arguments[0] == "ConnectionResetError" else ProbeError
            raise kind("of the probe's application")
        elif action == "start":
            self.start(arguments)
        else:
            self.attempt("write", self.write, arguments)
        return None

    def start(self, arguments):
        """Call start_response; a third argument ``"raised"`` is an exc_info."""
        if arguments[2:] == ["raised"]:
            try:
                raise ProbeError("of the probe's application")
            except ProbeError:
                arguments[2] = sys.exc_info()
        result = self.attempt("start", self.start_response, arguments)
        if self.write is None:
            self.write = result

    def attempt(self, event, function, arguments):
        """Call, and note what is raised: ``own`` if it is the exception that was passed."""
        given = arguments[2] if len(arguments) == 3 else None
        try:
            result = function(*arguments)
        except Exception as error:
            facts = {"raised": name_of(error), "message": str(error)}
            self.request.note(event, own=bool(given) and error is given[1], **facts)
            return None
        self.request.note(event, raised=None, callable=callable(result))
        return result

    def blocks(self, steps):
        """The blocks, as a generator. ``("times", 9, step, …)`` takes steps several times."""
        for step in steps:
            if step[:1] == ("times",):
                yield from self.blocks(step[2:] * step[1])
                continue
            block = self.take(step)
            if block is not None:
                yield block


class Iterable:
    """A result that notes calls of close()."""

    def __init__(self, acting, steps):
        self.acting = acting
        self.steps = steps

    def __iter__(self):
        return self.acting.blocks(self.steps)

    def close(self):
        self.acting.request.note("closed")


class Iterator(Iterable):
    """The same that is its own iterator."""

    def __init__(self, acting, steps):
        super().__init__(acting, steps)
        self.generator = acting.blocks(steps)

    def __iter__(self):
        return self

    def __next__(self):
        return next(self.generator)


class OtherIterator(Iterable):
    """The same whose iterator has a close() too."""

    def __iter__(self):
        iterator = Iterator(self.acting, self.steps)
        iterator.close = lambda: self.acting.request.note("iterator closed")
        return iterator


class List(list):
    """A list with close()."""

    def __init__(self, acting, steps):
        super().__init__(acting.blocks(steps))
        self.acting = acting

    def close(self):
        self.acting.request.note("closed")


class Indexed:
    """A sequence of the old kind."""

    def __init__(self, acting, steps):
        self._blocks = list(acting.blocks(steps))

    def __getitem__(self, index):
        return self._blocks[index]


class Watched(Iterable):
    """A result that notes which attributes it is asked for. What ``for`` and ``len()`` look up,
    they look up in the type, so none of it is seen here."""

    def __getattribute__(self, name):
        if name not in ("acting", "steps"):
            object.__getattribute__(self, "acting").request.note("attribute", name=name)
        return object.__getattribute__(self, name)


RESULTS = {
    "iterable": Iterable,
    "iterator": Iterator,
    "other iterator": OtherIterator,
    "list": List,
    "plain list": lambda acting, steps: list(acting.blocks(steps)),
    "generator": lambda acting, steps: acting.blocks(steps),
    "indexed": Indexed,
    "watched": Watched,
}


@program
def play(environ, start_response, request):
    """Steps in the call, and a result of some kind whose iteration takes others."""
    request.note("called")
    acting = Play(start_response, request)
    for step in ast.literal_eval(request.query.get("call", "[]")):
        acting.take(step)
    steps = ast.literal_eval(request.query.get("blocks", "[]"))
    return RESULTS[request.query.get("result", "iterable")](acting, steps)


def as_text(value):
    """What a stream returned, for JSON."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return [name_of(value), bytes(value).decode("latin-1")]
    if isinstance(value, (list, tuple)):
        return [name_of(value), [as_text(each) for each in value]]
    return [name_of(value), value if isinstance(value, str) else repr(value)]


STREAM_CALLS = {"iter": list, "next": lambda file: next(iter(file))}


@program
def stream(environ, start_response, request):
    """What calls of a stream's methods return: for each, the type and the value, or ``raised`` and
    the exception."""
    file = environ[request.query.get("file", "wsgi.input")]
    outcomes = []
    for name, *arguments in ast.literal_eval(request.query["calls"]):
        try:
            if name in STREAM_CALLS:
                value = STREAM_CALLS[name](file)
            else:
                value = getattr(file, name)(*arguments)
            outcomes.append(as_text(value))
        except Exception as error:
            outcomes.append(["raised", repr(error)])
    return as_json(start_response, outcomes)


@program
def variables(environ, start_response, request):
    """The environ, as ``environ`` has it, and which names the process's environment has too."""
    request.note("called", method=environ.get("REQUEST_METHOD"))
    seen = {}
    for key, value in environ.items():
        text = value if isinstance(value, str) else repr(value)
        is_own = isinstance(value, str) and os.environ.get(str(key)) == value
        seen[str(key)] = [name_of(value), text, is_own]
    return as_json(start_response, seen)


@program
def call(environ, start_response, request):
    """How the application was called."""
    kind = environ.get("quaich_probe.callable", "function")
    return as_json(start_response, {"arguments": request.arguments, "callable": kind})


@program
def spoil(environ, start_response, request):
    """Take everything out of the environ, and with ``poison`` put other things in."""
    names = list(environ)
    environ.clear()
    if request.number("poison"):
        environ.update(dict.fromkeys(names, "spoilt"), HTTP_X_SPOILT="1")
    start_response("200 OK", list(TEXT))
    return [b"spo", b"ilt"]


@program
def overlap(environ, start_response, request):
    """Take some time, and tell when and where it was."""
    began = time.time()
    time.sleep(request.number("milliseconds") / 1000)
    seen = {"began": began, "ended": time.time(), "pid": os.getpid()}
    for name in ("multithread", "multiprocess", "run_once"):
        seen[name] = bool(environ.get("wsgi." + name))
    return as_json(start_response, seen)


@program
def url(environ, start_response, request):
    """The URL, as PEP 3333 puts it together."""
    text = environ["wsgi.url_scheme"] + "://"
    if environ.get("HTTP_HOST"):
        text += environ["HTTP_HOST"]
    else:
        text += environ["SERVER_NAME"]
        if environ["SERVER_PORT"] != {"https": "443"}.get(environ["wsgi.url_scheme"], "80"):
            text += ":" + environ["SERVER_PORT"]
    text += quote(environ.get("SCRIPT_NAME", ""), encoding="latin-1")
    text += quote(environ.get("PATH_INFO", ""), encoding="latin-1")
    if environ.get("QUERY_STRING"):
        text += "?" + environ["QUERY_STRING"]
    start_response("200 OK", [*TEXT, ("Content-Length", str(len(text)))])
    return [text.encode("latin-1")]


@program
def keep(environ, start_response, request):
    """Whether start_response keeps the exc_info that it is given."""
    references = []

    def fail():
        token = set()  # can be seen to go
        references.append(weakref.ref(token))
        raise ProbeError("of the probe's application")

    start_response("200 OK", list(TEXT))
    try:
        fail()
    except ProbeError:
        start_response("200 OK", list(TEXT), sys.exc_info())
    if sys.implementation.name != "cpython":
        gc.collect()
    return [b"kept" if references[0]() is not None else b"gone"]


def file_of(kind, request):
    """A file of a kind: its content is ``size`` letters in their order, and it stands at ``at``.
    The noted ones note calls of close()."""
    data = bytes(97 + number % 26 for number in range(request.number("size", 100)))
    if kind == "pipe":
        reading, writing = os.pipe()
        os.write(writing, data)
        os.close(writing)
        return open(reading, "rb")
    file = tempfile.TemporaryFile() if kind in ("file", "noted file") else io.BytesIO()  # noqa: SIM115
    file.write(data)
    if request.number("zeros"):
        file.truncate(len(data) + request.number("zeros"))
    file.seek(request.number("at"))
    if kind in ("file", "bytes"):
        return file
    # No file of Python's own: they also close where nobody has called close().
    other = types.SimpleNamespace(read=file.read)
    if kind == "noted file":
        other.fileno = file.fileno
    if kind != "reader":
        other.close = lambda: (request.note("file closed"), file.close())
    return other


@program
def wrap(environ, start_response, request):
    """A file in the server's wrapper, used in one way or another."""
    kind = request.query.get("kind", "file")
    file = file_of(kind, request)
    sizes = [int(size) for size in request.query.get("block", "8192").split() if size != "none"]
    headers = list(TEXT)
    if request.number("length"):
        headers.append(("Content-Length", request.query["length"]))
    start_response("200 OK", headers)
    wrapper = environ["wsgi.file_wrapper"](file, *sizes)
    use = request.query.get("use", "return")
    if use == "return":
        return wrapper
    if use == "change":
        return changed(wrapper, file)
    blocks = {"discard": [b"other ", b"blocks"], "iterate": wrapper, "close": [b"closed"]}[use]
    blocks = list(blocks)
    if kind != "reader":
        (wrapper if use == "close" else file).close()
    return blocks


def changed(wrapper, file):
    """What a middleware makes of a wrapper."""
    for block in wrapper:
        yield block.upper()
    file.close()


# For S01: a server can be started with the names of other kinds of callables.


def call_as(kind, environ, start_response):
    """Call the application from a callable of some kind."""
    environ["quaich_probe.callable"] = kind
    return application(environ, start_response)


class Instance:
    """An instance, and its method."""

    def __call__(self, environ, start_response):
        return call_as("instance", environ, start_response)

    def method(self, environ, start_response):
        """A bound method."""
        return call_as("bound method", environ, start_response)


class Class:
    """A class, whose instances are results."""

    def __init__(self, environ, start_response):
        result = call_as("class", environ, start_response)
        self.blocks = result
        if hasattr(result, "close"):
            self.close = result.close

    def __iter__(self):
        return iter(self.blocks)


instance = Instance()
method = instance.method
partial = functools.partial(call_as, "partial")


# For content and messages


def _failing(blocks):
    yield from blocks
    time.sleep(0.1)  # what a server passes on without delay has gone
    raise RuntimeError("the probe wants this to fail")


@program
def answer(environ, start_response, request):
    """What the query describes: ``status``; ``header`` (``Name: value``) and ``block``, each as
    often as wanted. ``seconds``: it takes so long. ``kind=iterator``: the blocks come one by one;
    ``kind=failing``: an exception comes behind them. ``head=nothing``: no blocks for HEAD."""
    query = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    blocks = [block.encode("latin-1") for block in query.get("block", [])]
    request.note("called", blocks=[block.decode("latin-1") for block in blocks])
    time.sleep(float(query.get("seconds", ["0"])[0]))
    if environ["REQUEST_METHOD"] == "HEAD" and "head" in query:
        blocks = []
    headers = []
    for line in query.get("header", []):
        name, _, value = line.partition(": ")
        headers.append((name, value))
    start_response(query.get("status", ["200 OK"])[0], headers)
    kind = query.get("kind", ["list"])[0]
    if kind == "failing":
        return _failing(blocks)
    return iter(blocks) if kind == "iterator" else blocks


@program
def environ_behind_content(environ, start_response, request):
    """The environ, as :func:`environ`, once the content has been read: it is under ``content``."""
    length = environ.get("CONTENT_LENGTH")
    stream = environ["wsgi.input"]
    data = stream.read(int(length)) if length else stream.read()
    seen = {
        key: [name_of(value), value if isinstance(value, str) else repr(value)]
        for key, value in environ.items()
    }
    seen["content"] = [name_of(data), data.decode("latin-1")]
    return as_json(start_response, seen)


@program
def fail_behind_content(environ, start_response, request):
    """Reads the content, and raises an exception."""
    environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    raise RuntimeError("the probe wants this to fail")


@program
def early_hints(environ, start_response, request):
    """Sends a 103 if the server has the function for it, as some do, and answers."""
    send = environ.get("wsgi.early_hints")
    if callable(send):
        send([("Link", "</style.css>; rel=preload")])
    request.note("called", hints=callable(send))
    start_response("200 OK", TEXT + [("Content-Length", "5")])
    return [b"hello"]


if __name__ == "__main__":
    sys.exit("this is a WSGI application: quaich probe lets servers serve it")
