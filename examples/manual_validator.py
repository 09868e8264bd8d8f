"""From the manual of wsgiref, on validator()."""

from quaich.simple_server import make_server
from quaich.types import StartResponse, WSGIEnvironment
from quaich.validate import validator


# Our callable object which is intentionally not compliant to the
# standard, so the validator is going to break
def simple_app(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
    status = "200 OK"  # HTTP Status
    headers = [("Content-type", "text/plain")]  # HTTP Headers
    start_response(status, headers)

    # This is going to break because we need to return a list, and
    # the validator is going to inform us
    return b"Hello World"  # type: ignore[return-value]  # mypy informs us as well


# This is the application wrapped in a validator
validator_app = validator(simple_app)

if __name__ == "__main__":
    with make_server("", 8000, validator_app) as httpd:
        print("Listening on port 8000....")
        httpd.serve_forever()
