"""Programs for the streams of a request, and for files that are sent."""

# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs
# mypy: disable-error-code="var-annotated, type-arg"

import ast
import io
import os
import tempfile
import types

from .programs import TEXT, as_json, name_of, program


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


def file_of(kind, request):
    """A file of a kind: its content is ``size`` letters in their order, and it stands at ``at``.
    The noted ones note calls of close()."""
    data = bytes(97 + number % 26 for number in range(request.number("size", 100)))
    if kind == "pipe":
        reading, writing = os.pipe()
        os.write(writing, data)
        os.close(writing)
        return os.fdopen(reading, "rb")
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
