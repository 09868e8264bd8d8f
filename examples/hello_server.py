"""The smallest application, and the server for it."""

import quaich
from quaich.types import StartResponse, WSGIEnvironment


def application(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain; charset=utf-8")])
    return [b"Hello, world!\n"]


if __name__ == "__main__":
    quaich.serve(application)
