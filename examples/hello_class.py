"""A class as the application: calling it makes the iterable that is the response."""

from collections.abc import Iterator
from contextlib import suppress

from quaich.simple_server import make_server
from quaich.types import StartResponse, WSGIApplication, WSGIEnvironment


class Hello:
    def __init__(self, environ: WSGIEnvironment, start_response: StartResponse) -> None:
        self.name = environ["PATH_INFO"].strip("/") or "world"
        self.start_response = start_response

    def __iter__(self) -> Iterator[bytes]:
        self.start_response("200 OK", [("Content-Type", "text/plain; charset=utf-8")])
        # PATH_INFO holds one code point for each byte that was sent, so ISO-8859-1 gives
        # back those bytes: the UTF-8 of the name.
        yield b"Hello, " + self.name.encode("iso-8859-1") + b"!\n"


application: WSGIApplication = Hello

if __name__ == "__main__":
    with make_server("127.0.0.1", 8000, application) as server, suppress(KeyboardInterrupt):
        print(f"Serving on port {server.server_port}; Ctrl+C stops it")
        server.serve_forever()
