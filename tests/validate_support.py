"""What the tests of ``validate`` share: an environ, an application, a correct server."""

import contextlib
import gc
import io
from collections.abc import Iterable, Iterator
from types import SimpleNamespace
from typing import Any, NamedTuple
from unittest import mock

TEXT = [("Content-Type", "text/plain")]


class Response(NamedTuple):
    status: str
    headers: list[tuple[str, str]]
    body: bytes


def make_environ(**changes: Any) -> dict[str, Any]:
    """A correct environ; a change to None takes the variable out, "wsgi_x" means "wsgi.x"."""
    environ: dict[str, Any] = {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/",
        "QUERY_STRING": "",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(b"one\ntwo\n"),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in changes.items():
        key = name.replace("wsgi_", "wsgi.")
        if value is None:
            del environ[key]
        else:
            environ[key] = value
    return environ


def make_app(
    status: Any = "200 OK",
    headers: Any = TEXT,
    body: Any = (b"body",),
    written: Iterable[Any] = (),
) -> Any:
    """An application that answers so, passing `written` to write() first."""

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        write = start_response(status, headers)
        for block in written:
            write(block)
        return body

    return app


def serve(wsgiref: SimpleNamespace, app: Any, environ: dict[str, Any] | None = None) -> Response:
    """Call the validated application as a correct server does, and close what it returns."""
    started: list[Any] = []
    blocks: list[bytes] = []

    def start_response(status: str, headers: list[Any], exc_info: Any = None) -> Any:
        started[:] = [status, headers]
        return blocks.append

    result = wsgiref.validate.validator(app)(environ or make_environ(), start_response)
    with contextlib.closing(result):
        blocks.extend(result)
    return Response(started[0], started[1], b"".join(blocks))


@contextlib.contextmanager
def unraisable_errors() -> Iterator[list[str]]:
    """What ``__del__`` methods raise inside the block, and inside alone."""
    seen: list[str] = []
    with mock.patch("sys.unraisablehook", lambda hook: seen.append(repr(hook.exc_value))):
        yield seen
        gc.collect()
