"""The server of an old tutorial, mended: the body is bytes, and its length is theirs."""

from quaich.simple_server import make_server
from quaich.types import StartResponse, WSGIEnvironment


def demo_app(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
    """Describe the request.

    :param environ: the server's dictionary of CGI-like variables for this request
    :param start_response: the server's callable that takes the status and the headers
    :return: the response body, an iterable of bytes: a list, or a generator
    """
    text = (
        f"The request method was {environ['REQUEST_METHOD']}\n"
        f"The request path info was {environ['PATH_INFO']}\n"
        f"The remote host was {environ['REMOTE_ADDR']}\n"
        f"The query string was {environ['QUERY_STRING']}\n"
    )
    # environ's text has a code point for each byte that was sent: ISO-8859-1 turns it back.
    response_body = text.encode("iso-8859-1")

    status = "200 OK"
    response_headers = [
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Content-Length", str(len(response_body))),
    ]
    start_response(status, response_headers)
    return [response_body]


if __name__ == "__main__":
    httpd = make_server(
        "",  # the address to listen on: all of this machine's
        8000,  # the port
        demo_app,  # the application object, in this case a function
    )
    try:
        print("Serving on port 8000...")
        httpd.serve_forever()
    except KeyboardInterrupt:
        print("exit")
    finally:
        httpd.server_close()
