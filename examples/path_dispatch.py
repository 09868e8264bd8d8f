"""Several applications under one address, chosen by the first segment of the path."""

from collections.abc import Iterable
from contextlib import suppress

from quaich.simple_server import demo_app, make_server
from quaich.types import StartResponse, WSGIApplication, WSGIEnvironment
from quaich.util import application_uri, shift_path_info


def where(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain; charset=utf-8")])
    text = f"application: {application_uri(environ)}\nrest of path: {environ['PATH_INFO']}\n"
    return [text.encode()]


def not_found(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
    start_response("404 Not Found", [("Content-Type", "text/plain; charset=utf-8")])
    return [b"There is nothing here.\n"]


APPLICATIONS: dict[str | None, WSGIApplication] = {"demo": demo_app, "where": where}


def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    # /where/to becomes SCRIPT_NAME=/where and PATH_INFO=/to: the application chosen sees
    # only its own part of the path.
    chosen = APPLICATIONS.get(shift_path_info(environ), not_found)
    return chosen(environ, start_response)


if __name__ == "__main__":
    with make_server("127.0.0.1", 8000, application) as server, suppress(KeyboardInterrupt):
        print(f"Serving on port {server.server_port}; Ctrl+C stops it")
        server.serve_forever()
