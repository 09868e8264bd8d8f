"""Reading what the client sends: wsgi.input ends where the body ends."""

from contextlib import suppress
from urllib.parse import parse_qs

from quaich.simple_server import make_server
from quaich.types import StartResponse, WSGIEnvironment

FORM_MAX = 10_000  # bytes; only the application can say how much is too much


def application(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
    headers = [("Content-Type", "text/plain; charset=utf-8")]
    body = environ["wsgi.input"].read(FORM_MAX + 1)
    if len(body) > FORM_MAX:
        start_response("413 Content Too Large", headers)
        return [b"That is more than a form.\n"]
    fields = parse_qs(body.decode("utf-8", "replace"))
    start_response("200 OK", headers)
    return [f"{name} = {', '.join(values)}\n".encode() for name, values in fields.items()]


if __name__ == "__main__":
    with make_server("127.0.0.1", 8000, application) as server, suppress(KeyboardInterrupt):
        print(f"Serving on port {server.server_port}; Ctrl+C stops it")
        server.serve_forever()
