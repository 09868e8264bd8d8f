"""From the manual of wsgiref, on setup_testing_defaults()."""

from quaich.simple_server import make_server
from quaich.types import StartResponse, WSGIEnvironment
from quaich.util import setup_testing_defaults


# A relatively simple WSGI application. It's going to print out the
# environment dictionary after being updated by setup_testing_defaults
def simple_app(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
    setup_testing_defaults(environ)

    status = "200 OK"
    headers = [("Content-type", "text/plain; charset=utf-8")]

    start_response(status, headers)

    return [f"{key}: {value}\n".encode() for key, value in environ.items()]


if __name__ == "__main__":
    with make_server("", 8000, simple_app) as httpd:
        print("Serving on port 8000...")
        httpd.serve_forever()
