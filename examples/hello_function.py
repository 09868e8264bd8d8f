"""The smallest application: a function."""

from contextlib import suppress

from quaich.simple_server import make_server
from quaich.types import StartResponse, WSGIEnvironment


def application(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain; charset=utf-8")])
    return [b"Hello, world!\n"]


if __name__ == "__main__":
    with make_server("127.0.0.1", 8000, application) as server, suppress(KeyboardInterrupt):
        print(f"Serving on port {server.server_port}; Ctrl+C stops it")
        server.serve_forever()
