"""Radicale's own server, run as its users run it: over real sockets, from the outside.

No source release of Radicale has its test-suite, so these tests are ours.  Each leans on one thing
which `radicale/server.py` does to `wsgiref.simple_server`; none of them knows which implementation
of it stands below, and all of them pass on the standard library's.
"""

# mypy: disable-error-code="import-not-found,import-untyped"

import contextlib
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import wsgiref.simple_server
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import radicale.server
import trustme
from quaich_radicale_harness import CREDENTIALS, PATIENCE, Server, eventually, free_port, read_all
from radicale import Application

EVENT = b"""\
BEGIN:VCALENDAR
PRODID:-//Quaich//Compatibility//EN
VERSION:2.0
BEGIN:VEVENT
UID:one-event
DTSTAMP:20200101T000000Z
DTSTART:20200102T100000Z
DTEND:20200102T110000Z
SUMMARY:An event
END:VEVENT
END:VCALENDAR
""".replace(b"\n", b"\r\n")

PROPFIND = b"""\
<?xml version="1.0"?>
<propfind xmlns="DAV:"><prop><resourcetype/></prop></propfind>
"""


Start = Callable[..., Server]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    servers = []

    def start_one(**server: Any) -> Server:
        servers.append(Server(tmp_path / "collections", **server))
        return servers[-1]

    yield start_one
    for server in servers:
        server.stop()


@pytest.fixture
def environs(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the application was given, request by request."""
    given: list[dict[str, Any]] = []

    class Watched:
        def __init__(self, configuration: Any) -> None:
            self.application = Application(configuration)

        def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
            given.append(dict(environ))
            return self.application(environ, start_response)

    monkeypatch.setattr(radicale.server, "Application", Watched)
    return given


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def certificate(authority: trustme.CA, tmp_path: Path) -> dict[str, Any]:
    """The settings of a server with TLS."""
    issued = authority.issue_cert("127.0.0.1", "localhost")
    issued.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    with (tmp_path / "cert.pem").open("wb") as file:
        for pem in issued.cert_chain_pems:
            file.write(pem.bytes())
    return {
        "ssl": True,
        "certificate": str(tmp_path / "cert.pem"),
        "key": str(tmp_path / "key.pem"),
    }


@pytest.fixture
def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def test_redirect_of_the_root(start: Start) -> None:
    response, _ = start().request("GET", "/")
    assert response.status == 302
    assert response.getheader("Location") == "/.web"


def test_life_of_an_event(start: Start) -> None:
    server = start()
    response, _ = server.request("MKCALENDAR", "/someone/calendar/")
    assert response.status == 201
    response, _ = server.request("PUT", "/someone/calendar/event.ics", EVENT)
    assert response.status == 201
    response, body = server.request("GET", "/someone/calendar/event.ics")
    assert response.status == 200
    assert b"SUMMARY:An event" in body
    assert response.getheader("Content-Length") == str(len(body))
    response, body = server.request("PROPFIND", "/someone/calendar/", PROPFIND, Depth="1")
    assert response.status == 207
    assert b"/someone/calendar/event.ics" in body
    response, _ = server.request("DELETE", "/someone/calendar/event.ics")
    assert response.status == 200
    response, _ = server.request("GET", "/someone/calendar/event.ics")
    assert response.status == 404


def test_a_response_to_head_has_no_body(start: Start) -> None:
    server = start()
    server.request("MKCALENDAR", "/someone/calendar/")
    server.request("PUT", "/someone/calendar/event.ics", EVENT)
    head = f"HEAD /someone/calendar/event.ics HTTP/1.0\r\nAuthorization: {CREDENTIALS}\r\n\r\n"
    answer = server.say(head.encode())
    assert answer.startswith(b"HTTP/1.0 200 OK\r\n")
    assert answer.endswith(b"\r\n\r\n")
    assert answer.count(b"\r\n\r\n") == 1


def test_path_info_is_decoded_as_utf_8(start: Start, environs: list[dict[str, Any]]) -> None:
    server = start()
    response, _ = server.request("MKCALENDAR", "/someone/\u0444\u0443\u2713/")
    assert response.status == 201
    assert environs[-1]["PATH_INFO"] == "/someone/\u0444\u0443\u2713/"


def test_the_environment_of_the_process_stays_out(
    start: Start, environs: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_SECRET_OF_THE_PROCESS", "x")
    start().request("GET", "/")
    assert "A_SECRET_OF_THE_PROCESS" not in environs[-1]
    assert "PATH" not in environs[-1]


def test_environ_of_a_plain_request(start: Start, environs: list[dict[str, Any]]) -> None:
    server = start()
    server.request("GET", "/someone/?question", X_Header="value")
    environ = environs[-1]
    assert environ["REMOTE_ADDR"] == "127.0.0.1"
    assert environ["SERVER_PORT"] == str(server.port)
    assert environ["QUERY_STRING"] == "question"
    assert environ["HTTP_X_HEADER"] == "value"
    assert environ["CONTENT_TYPE"] == "text/plain"
    assert environ["wsgi.url_scheme"] == "http"
    assert environ["wsgi.multithread"] is True
    assert "HTTPS" not in environ


def test_one_request_a_connection(start: Start) -> None:
    request = b"GET /.web HTTP/1.1\r\nHost: x\r\n\r\n"
    answer = start().say(request * 2)
    assert answer.startswith(b"HTTP/1.0 200 OK\r\n")
    assert answer.count(b"HTTP/1.") == 1


def test_a_request_line_which_is_too_long(start: Start) -> None:
    server = start()
    with server.raw() as connection:
        connection.sendall(b"GET /" + b"a" * 65536)
        answer = read_all(connection)
    assert answer.split(b" ")[1] == b"414"
    assert server.request("GET", "/.web")[0].status == 200


@pytest.mark.parametrize("line", [b"nonsense", b"GET / HTTP/nonsense"])
def test_a_request_line_which_is_none(start: Start, line: bytes) -> None:
    server = start()
    answer = server.say(line + b"\r\n\r\n")
    assert b"400" in answer
    assert server.request("GET", "/.web")[0].status == 200


def test_a_body_which_is_too_large_is_refused(start: Start) -> None:
    server = start(max_content_length=10)
    response, _ = server.request("PUT", "/someone/event.ics", EVENT)
    assert response.status == 413


def test_a_client_which_stops_in_the_head_is_let_go(start: Start) -> None:
    server = start(timeout=1)
    answer = server.say(b"GET / HTTP/1.0\r\nHost: ")
    assert answer == b"" or answer.split(b" ")[1] == b"408"
    assert server.request("GET", "/.web")[0].status == 200


def test_a_client_which_stops_in_the_body_is_told(start: Start) -> None:
    server = start(timeout=1)
    head = f"PUT /someone/event.ics HTTP/1.0\r\nAuthorization: {CREDENTIALS}\r\n"
    answer = server.say(head.encode() + b"Content-Length: 100\r\n\r\nBEGIN")
    assert answer.split(b" ")[1] == b"408"
    assert server.request("GET", "/.web")[0].status == 200


def test_a_waiting_client_gets_its_turn(start: Start) -> None:
    server = start(max_connections=1)
    with server.raw() as idle, server.raw() as waiting:
        waiting.sendall(b"GET /.web HTTP/1.0\r\n\r\n")
        idle.sendall(b"GET /.web HTTP/1.0\r\n\r\n")
        for connection in (idle, waiting):
            assert read_all(connection).startswith(b"HTTP/1.0 200 OK\r\n")


def test_many_clients_at_once(start: Start) -> None:
    server = start(max_connections=4)
    statuses: list[int] = []

    def ask() -> None:
        statuses.append(server.request("GET", "/.web")[0].status)

    threads = [threading.Thread(target=ask) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert statuses == [200] * 20


def test_a_client_which_leaves_early_harms_nobody(start: Start) -> None:
    server = start()
    for _ in range(5):
        with server.raw() as connection:
            connection.sendall(b"GET /.web HTTP/1.0\r\n\r\n")
    assert server.request("GET", "/.web")[0].status == 200


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6")
def test_ipv6(start: Start, environs: list[dict[str, Any]]) -> None:
    try:
        server = start(host="::1")
    except OSError:
        pytest.skip("no IPv6 here")
    assert server.request("GET", "/.web")[0].status == 200
    assert environs[-1]["REMOTE_ADDR"] == "::1"


def test_tls(
    start: Start,
    certificate: dict[str, Any],
    trusting: ssl.SSLContext,
    environs: list[dict[str, Any]],
) -> None:
    server = start(**certificate)
    assert server.request("GET", "/.web", context=trusting)[0].status == 200
    environ = environs[-1]
    assert environ["HTTPS"] == "on"
    assert environ["wsgi.url_scheme"] == "https"
    assert environ["SSL_PROTOCOL"].startswith("TLSv1.")
    assert environ["SSL_CIPHER"]


def test_tls_and_a_client_without_it(
    start: Start, certificate: dict[str, Any], trusting: ssl.SSLContext
) -> None:
    server = start(**certificate)
    with contextlib.suppress(ConnectionError):
        assert b"200" not in server.say(b"GET /.web HTTP/1.0\r\n\r\n")
    assert server.request("GET", "/.web", context=trusting)[0].status == 200


def test_tls_with_a_certificate_of_the_client(
    start: Start,
    certificate: dict[str, Any],
    authority: trustme.CA,
    trusting: ssl.SSLContext,
    environs: list[dict[str, Any]],
    tmp_path: Path,
) -> None:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    server = start(**certificate, certificate_authority=str(tmp_path / "ca.pem"))
    with pytest.raises((ssl.SSLError, ConnectionError)):
        server.request("GET", "/.web", context=trusting)
    authority.issue_cert("someone@example.org").configure_cert(trusting)
    assert server.request("GET", "/.web", context=trusting)[0].status == 200
    names = environs[-1]["REMOTE_CERTIFICATE"]["subjectAltName"]
    assert names == (("email", "someone@example.org"),)


def test_programs_have_the_wsgiref_of_this_process() -> None:
    ask = "import wsgiref.simple_server as s; print(s.make_server.__module__, end='')"
    answer = subprocess.run([sys.executable, "-c", ask], capture_output=True, check=True)
    assert answer.stdout.decode() == wsgiref.simple_server.make_server.__module__


def test_the_command(tmp_path: Path) -> None:
    port = free_port(socket.AF_INET, "127.0.0.1")
    arguments = {
        "--server-hosts": f"127.0.0.1:{port}",
        "--storage-filesystem-folder": str(tmp_path),
        "--web-type": "none",
        "--auth-type": "none",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "radicale", *(f"{k}={v}" for k, v in arguments.items())],
        env=os.environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        with eventually(lambda: socket.create_connection(("127.0.0.1", port), PATIENCE)) as client:
            client.sendall(b"GET /.web HTTP/1.0\r\n\r\n")
            assert client.recv(15) == b"HTTP/1.0 200 OK"
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    finally:
        process.kill()
        process.wait()
