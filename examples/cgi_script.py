"""An application as a CGI program: the web server starts this file for each request."""

from quaich.handlers import CGIHandler
from quaich.types import StartResponse, WSGIEnvironment


def application(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain; charset=utf-8")])
    return [b"Hello, world!\n"]


if __name__ == "__main__":
    CGIHandler().run(application)
