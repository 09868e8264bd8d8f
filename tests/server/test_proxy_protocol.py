"""Connections that begin with a header of the PROXY protocol, and who may begin so."""

import json
import logging
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest

from protocol.test_proxy import SOUND, UNSOUND
from quaich import Server
from quaich.server.logs.access_log import AccessLog
from quaich.server.opening import Preface
from server.applications import PLAIN, Environ, Recorder, hello
from server.conftest import Connect, Errors, Serve
from server.wire import LOCALHOST, PATIENCE, Client, Ending, get, wait_until

pytestmark = pytest.mark.live

V1 = b"PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n"
V2 = SOUND["v2 with a checksum"][0]


def peer(environ: Environ, start_response: Any) -> list[bytes]:
    """Who the client is said to be."""
    start_response("200 OK", PLAIN)
    names = ("REMOTE_ADDR", "REMOTE_PORT", "SERVER_PORT", "wsgi.url_scheme", "HTTP_X_FORWARDED_FOR")
    return [json.dumps({name: environ.get(name) for name in names}).encode()]


def said(client: Client, *fields: str) -> tuple[str | None, str | None]:
    answer = json.loads(client.exchange(get("/", *fields)).content)
    return answer["REMOTE_ADDR"], answer["REMOTE_PORT"]


@pytest.mark.parametrize("version", ["v1", "v2", "auto"])
@pytest.mark.parametrize("name", SOUND)
def test_the_client_is_whom_the_header_names(
    serve: Serve, connect: Connect, name: str, version: str
) -> None:
    header, source, _ = SOUND[name]
    if not name.startswith(version) and version != "auto":
        return
    client = connect(serve(peer, proxy_protocol=version))
    client.send(header)
    if source is None:
        expected: tuple[str | None, str | None] = (client.name[0], str(client.name[1]))
    elif source.host:
        expected = (source.host, str(source.port))
    else:
        expected = (None, None)  # S35: a Unix socket's peer has none
    assert said(client) == expected
    assert said(client) == expected  # the header is the connection's, not the request's


@pytest.mark.parametrize("name", ["v2 Unix", "v2 IPv4"])
def test_who_has_no_address_is_no_proxy_of_ours(serve: Serve, connect: Connect, name: str) -> None:
    """What somebody on a Unix socket of the proxy's says, is said by anybody."""
    for allowed, address in (("none", None), ("*", "203.0.113.9")):
        client = connect(serve(peer, proxy_protocol="auto", forwarded_allow_ips=allowed))
        client.send(SOUND[name][0])
        found, _ = said(client, "X-Forwarded-For: 203.0.113.9")
        assert (found == "203.0.113.9") == (address is not None)


@pytest.mark.parametrize("header", [V1, V2], ids=["v1", "v2"])
def test_a_header_in_pieces(serve: Serve, connect: Connect, header: bytes) -> None:
    client = connect(serve(peer, proxy_protocol="auto"))
    for octet in header + get():
        client.send(bytes((octet,)))
    assert json.loads(client.response().content)["REMOTE_ADDR"] == "192.0.2.1"


@pytest.mark.parametrize("header", [V1, V2], ids=["v1", "v2"])
def test_a_header_with_requests_behind_it(serve: Serve, connect: Connect, header: bytes) -> None:
    client = connect(serve(peer, proxy_protocol="auto"))
    client.send(header + get() * 3)
    client.half_close()
    for _ in range(3):
        assert json.loads(client.response().content)["REMOTE_ADDR"] == "192.0.2.1"


@pytest.mark.parametrize(
    ("version", "name"),
    [*(("auto", name) for name in UNSOUND), ("v1", "v2 IPv4"), ("v2", "v1 IPv4"), ("v1", "none")],
)
def test_an_unsound_header_ends_the_connection(
    serve: Serve,
    connect: Connect,
    caplog: pytest.LogCaptureFixture,
    version: str,
    name: str,
) -> None:
    caplog.set_level(logging.DEBUG, "quaich.error")
    app = Recorder()
    client = connect(serve(app, proxy_protocol=version))
    data = UNSOUND.get(name) or (b"" if name == "none" else SOUND[name][0])
    client.send(data + get())
    # Closing over bytes that nobody has read is a reset: nothing was answered.
    client._all()
    assert client._ended in (Ending.CLEAN, Ending.RESET)
    assert app.environs == []
    assert [record.message for record in caplog.records if record.levelno > logging.DEBUG] == []
    assert any("PROXY header" in line for line in caplog.messages)


def test_auto_takes_a_connection_without_a_header(serve: Serve, connect: Connect) -> None:
    client = connect(serve(peer, proxy_protocol="auto"))
    assert said(client) == (client.name[0], str(client.name[1]))
    other = connect(serve(peer, proxy_protocol="auto"))
    assert other.exchange(b"\r\n" + get()).status == 200


def test_without_the_setting_it_is_a_bad_request(serve: Serve, connect: Connect) -> None:
    for header in (V1, V2):
        client = connect(serve(hello))
        assert client.exchange(header + get()).status in (400, 505)


@pytest.mark.parametrize("version", ["v1", "v2", "auto"])
def test_others_may_not_connect(
    serve: Serve, connect: Connect, caplog: pytest.LogCaptureFixture, version: str
) -> None:
    caplog.set_level(logging.DEBUG, "quaich.error")
    app = Recorder()
    server = serve(app, proxy_protocol=version, proxy_allow_from="192.0.2.0/24,::1")
    client = connect(server)
    try:
        client.send(V1 + get())
    except ConnectionError:
        pass  # it was quick
    client._all()
    assert app.environs == []
    wait_until(
        lambda: "127.0.0.1 may not connect: proxy_allow_from does not name it" in caplog.messages,
        "the line of the log",
    )
    assert [record.message for record in caplog.records if record.levelno > logging.DEBUG] == []


def test_peers_of_other_families_may_not_connect() -> None:
    """What ``accept()`` gives for them is not known to be an address."""
    preface = Preface("auto", ["10.0.0.0/8", "::1"])
    assert preface.admits(("10.0.0.1", 1))
    assert preface.admits(("::ffff:10.0.0.1", 1, 0, 0))
    assert preface.admits(("::1%lo", 1, 0, 1))
    assert preface.admits("")  # a Unix socket
    for other in ((3, 1), ("11.0.0.1", 1), ("::2", 1, 0, 0), ("", 1)):
        assert not preface.admits(other)


@pytest.mark.parametrize("allowed", ["*", "127.0.0.0/8", "10.0.0.0/8,127.0.0.1"])
def test_those_who_are_named_may(serve: Serve, connect: Connect, allowed: str) -> None:
    client = connect(serve(peer, proxy_protocol="v1", proxy_allow_from=allowed))
    client.send(V1)
    assert said(client) == ("192.0.2.1", "56324")


def test_a_proxy_on_a_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with (
        Server(peer, bind=f"unix:{path}", proxy_protocol="v2", proxy_allow_from="192.0.2.1"),
        socket.socket(socket.AF_UNIX) as client,
    ):
        client.settimeout(PATIENCE)
        client.connect(str(path))
        client.sendall(V2 + get("/", "Connection: close"))
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["REMOTE_ADDR"] == "192.0.2.1"


def test_fields_are_believed_of_the_source_and_not_of_the_proxy(
    serve: Serve, connect: Connect
) -> None:
    """The proxy passes bytes on: fields are what the client itself has sent."""
    server = serve(peer, proxy_protocol="v1", forwarded_allow_ips="127.0.0.1,203.0.113.9")
    forged = connect(server)
    forged.send(V1)
    assert said(forged, "X-Forwarded-For: 10.0.0.1") == ("192.0.2.1", "56324")
    proxied = connect(server)
    proxied.send(V1.replace(b"192.0.2.1", b"203.0.113.9"))
    assert said(proxied, "X-Forwarded-For: 10.0.0.1") == ("10.0.0.1", None)


def test_the_logs(serve: Serve, connect: Connect, tmp_path: Path, errors: Errors) -> None:
    def fail(environ: Environ, start_response: Any) -> Any:
        raise LookupError

    path = tmp_path / "access.log"
    log = AccessLog(str(path), "%(h)s %(s)s")
    client = connect(serve(fail, proxy_protocol="v1", access_log=log))
    assert client.exchange(V1 + get("/x")).status == 500
    client.close()
    wait_until(path.read_text, "the line")
    log.close()
    assert path.read_text() == "192.0.2.1 500\n"
    (record,) = errors()
    assert record.getMessage() == "GET /x from 192.0.2.1:56324: the application failed"


@pytest.mark.parametrize("start", [b"", V1[:9], V2[:20]], ids=["silent", "half v1", "half v2"])
def test_a_header_that_does_not_come(serve: Serve, connect: Connect, start: bytes) -> None:
    server = serve(hello, proxy_protocol="auto", header_timeout="100ms")
    silent = connect(server)
    silent.send(start)
    assert silent.ending() is Ending.CLEAN


@pytest.mark.parametrize("start", [b"", V1[:9]], ids=["silent", "half v1"])
def test_a_client_that_goes_instead(serve: Serve, connect: Connect, start: bytes) -> None:
    server = serve(hello, proxy_protocol="auto", header_timeout="1h")
    for leave in (Client.half_close, Client.reset):
        client = connect(server)
        client.send(start)
        leave(client)
    wait_until(lambda: not server._loop.connections.by_fd, "the connections to be closed")


def test_silent_connections_do_not_keep_a_server_from_stopping(
    serve: Serve, connect: Connect
) -> None:
    server = serve(hello, proxy_protocol="v2", header_timeout="1h")
    silent = connect(server)
    wait_until(lambda: server._loop.connections.by_fd, "the connection")
    server.stop()
    assert server.wait_until_stopped(PATIENCE)
    assert silent.ending() is Ending.CLEAN


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("header", [V1, V2], ids=["v1", "v2"])
def test_before_tls(serve: Serve, header: bytes, at_once: bool) -> None:
    server = serve(peer, proxy_protocol="auto", certfile=LOCALHOST)
    with socket.create_connection(("127.0.0.1", server.port), PATIENCE) as plain:
        plain.settimeout(PATIENCE)
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = ssl.create_default_context(cafile=LOCALHOST)
        tls = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
        if not at_once:
            plain.sendall(header)
        pending = header if at_once else b""

        def shake_hands() -> bool:
            tls.do_handshake()
            return True

        def go(step: Any) -> Any:
            nonlocal pending
            while True:
                try:
                    result = step()
                except ssl.SSLWantReadError:
                    result = None
                plain.sendall(pending + outgoing.read())
                pending = b""
                if result is not None:
                    return result
                incoming.write(plain.recv(65536))

        go(shake_hands)
        tls.write(get())
        answer = json.loads(go(lambda: tls.read(65536)).partition(b"\r\n\r\n")[2])
    assert (answer["REMOTE_ADDR"], answer["wsgi.url_scheme"]) == ("192.0.2.1", "https")


def test_http_behind_a_header_where_tls_is_spoken(serve: Serve, connect: Connect) -> None:
    server = serve(peer, proxy_protocol="v1", certfile=LOCALHOST)
    with Client(("127.0.0.1", server.port)) as client:
        response = client.exchange(V1 + get())
    assert response.status == 400
    assert b"https://" in response.content
