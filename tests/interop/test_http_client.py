"""The standard library's client."""

import contextlib
import http.client
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from interop.conftest import FILE_SIZE
from interop.reference import GREETING, digest, pattern
from interop.serving import PATIENCE, Served

pytestmark = pytest.mark.live


@contextlib.contextmanager
def connected(served: Served) -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection(served.host, served.port, timeout=PATIENCE)
    with contextlib.closing(connection):
        yield connection


def ask(
    connection: http.client.HTTPConnection, method: str, target: str, **options: Any
) -> tuple[http.client.HTTPResponse, bytes]:
    connection.request(method, target, **options)
    response = connection.getresponse()
    return response, response.read()


def test_all_on_one_connection(served: Served) -> None:
    with connected(served) as connection:
        connection.connect()
        socket = connection.sock
        for _ in range(50):
            response, content = ask(connection, "GET", "/")
            assert (response.status, content) == (200, GREETING)
            response, content = ask(connection, "HEAD", f"/bytes?size={FILE_SIZE}")
            assert response.headers["Content-Length"] == str(FILE_SIZE)
            assert content == b""
        response, content = ask(connection, "GET", "/file")
        assert content == pattern(FILE_SIZE)
        response, content = ask(connection, "GET", f"/stream?size={FILE_SIZE}")
        assert response.headers["Transfer-Encoding"] == "chunked"
        assert content == pattern(FILE_SIZE)
        response, content = ask(connection, "GET", "/nothing")
        assert response.status == 404
        assert connection.sock is socket


@pytest.mark.parametrize("size", [0, 1, 65_536, FILE_SIZE])
@pytest.mark.parametrize("chunked", [False, True])
def test_content(served: Served, size: int, chunked: bool) -> None:
    data = pattern(size)
    body = iter([data[n : n + 10_007] for n in range(0, size, 10_007)]) if chunked else data
    with connected(served) as connection:
        _, content = ask(connection, "POST", "/echo", body=body)
        told = json.loads(content)
        assert told["method"] == "POST"
        assert (told["size"], told["sha256"]) == (size, digest(data))
        assert told["length"] == (None if chunked and served.is_streamed else str(size))
        # The connection is in order.
        assert ask(connection, "GET", "/")[1] == GREETING


def test_content_that_nobody_reads(served: Served) -> None:
    """The connection stays, unless more is left than the server reads for its sake."""
    with connected(served) as connection:
        response, content = ask(connection, "POST", "/refuse", body=pattern(FILE_SIZE))
        assert (response.status, content) == (403, b"no\n")
        if served.is_streamed:
            connection.close()
        assert ask(connection, "GET", "/")[1] == GREETING


def test_many_at_once(served: Served) -> None:
    """As many threads as the server has, and more."""
    failures: list[str] = []

    def run(number: int) -> None:
        try:
            with connected(served) as connection:
                for turn in range(20):
                    size = number * 1009 + turn * 10_007
                    data = pattern(size)
                    told = json.loads(ask(connection, "PUT", f"/echo/{number}", body=data)[1])
                    if (told["sha256"], told["path"]) != (digest(data), f"/echo/{number}"):
                        failures.append(f"{number}, {turn}: {told}")
                    if ask(connection, "GET", f"/stream?size={size}")[1] != data:
                        failures.append(f"{number}, {turn}: another content came")
        except Exception as error:
            failures.append(f"{number}: {error!r}")

    threads = [threading.Thread(target=run, args=(number,)) for number in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
