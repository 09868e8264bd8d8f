"""Middleware: an application towards the server, a server towards the application."""

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from quaich.headers import Headers
from quaich.simple_server import demo_app, make_server
from quaich.types import StartResponse, WSGIApplication, WSGIEnvironment


class NoSniff:
    """Adds a header to every response that does not have it."""

    def __init__(self, application: WSGIApplication) -> None:
        self.application = application

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None, /) -> Any:
            fields = Headers(headers[:])  # a copy: the list belongs to the application
            fields.setdefault("X-Content-Type-Options", "nosniff")
            return start_response(status, fields.items(), exc_info)

        # Returned as it is, so its close() is still there for the server to call.
        return self.application(environ, start)


application = NoSniff(demo_app)

if __name__ == "__main__":
    with make_server("127.0.0.1", 8000, application) as server, suppress(KeyboardInterrupt):
        print(f"Serving on port {server.server_port}; Ctrl+C stops it")
        server.serve_forever()
