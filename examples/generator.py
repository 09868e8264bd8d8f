"""A generator as the application: each block is sent when it is made."""

from collections.abc import Iterator
from contextlib import suppress

from quaich.simple_server import make_server
from quaich.types import StartResponse, WSGIEnvironment


def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain; charset=utf-8")])
    try:
        for number in range(3, 0, -1):
            yield f"{number}\n".encode()
        yield b"Lift-off!\n"
    finally:
        # The server closes what an application returns, also when the client has gone.
        environ["wsgi.errors"].write("the countdown is over\n")


if __name__ == "__main__":
    with make_server("127.0.0.1", 8000, application) as server, suppress(KeyboardInterrupt):
        print(f"Serving on port {server.server_port}; Ctrl+C stops it")
        server.serve_forever()
