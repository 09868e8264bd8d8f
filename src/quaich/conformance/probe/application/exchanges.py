"""Programs for requests and responses: what has come, and what is to be answered."""

# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs
# mypy: disable-error-code="var-annotated, type-arg"

import os
import time
from urllib.parse import parse_qs, quote

from .programs import TEXT, as_json, name_of, program, records


@program
def hello(environ, start_response, request):
    """An ordinary answer."""
    request.note("called", method=environ.get("REQUEST_METHOD"), path=environ.get("PATH_INFO"))
    start_response("200 OK", [*TEXT, ("Content-Length", "14")])
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
    seen = {"arguments": request.arguments, "callable": request.callable}
    return as_json(start_response, seen)


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
    start_response("200 OK", [*TEXT, ("Content-Length", "5")])
    return [b"hello"]
