"""The validator catches what old tutorials teach: text as a response body.

In Python 2 a ``str`` was bytes, and this application was right. In Python 3 it is text.
"""

from contextlib import suppress

from quaich.simple_server import make_server
from quaich.types import StartResponse, WSGIEnvironment
from quaich.validate import validator


def old_app(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
    response_body = f"The request method was {environ['REQUEST_METHOD']}\n"
    start_response(
        "200 OK",
        [("Content-Type", "text/plain"), ("Content-Length", str(len(response_body)))],
    )
    return [response_body]  # type: ignore[list-item]  # the mistake; mypy finds it, too


application = validator(old_app)

if __name__ == "__main__":
    with make_server("127.0.0.1", 8000, application) as server, suppress(KeyboardInterrupt):
        print(f"Serving on port {server.server_port}; Ctrl+C stops it")
        server.serve_forever()
