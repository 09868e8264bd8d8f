"""A file as the response: here, this very file."""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from quaich.simple_server import make_server
from quaich.types import StartResponse, WSGIEnvironment
from quaich.util import FileWrapper


def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    file = Path(__file__).open("rb")  # noqa: SIM115  # the server closes it, by way of the wrapper
    start_response("200 OK", [("Content-Type", "text/x-python; charset=utf-8")])
    # The server may know a faster way; FileWrapper does where it offers none.
    wrapper = environ.get("wsgi.file_wrapper", FileWrapper)
    blocks: Iterable[bytes] = wrapper(file)
    return blocks


if __name__ == "__main__":
    with make_server("127.0.0.1", 8000, application) as server, suppress(KeyboardInterrupt):
        print(f"Serving on port {server.server_port}; Ctrl+C stops it")
        server.serve_forever()
