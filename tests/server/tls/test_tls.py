"""TLS: handshakes, what they tell the application, and peers that break them.

What comes over TLS as it comes without is tested where that is (``OVER_TLS`` in conftest.py).
"""

import contextlib
import json
import logging
import os
import select
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from quaich import Server
from quaich.server.tls import certificates
from quaich.validate import validator
from server.applications import PLAIN, Environ, Recorder, answering, echo, hello
from server.certificates import Authority, subject
from server.conftest import Connect, Errors, Serve, on_one_poller
from server.wire import (
    LOCALHOST,
    PATIENCE,
    Client,
    Ending,
    Gate,
    TlsClient,
    Truncated,
    get,
    post,
    wait_until,
)

pytestmark = pytest.mark.live

BIG = bytes(range(256)) * 40_000  # more than any buffer of the system takes


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def certificate(authority: Authority) -> Path:
    """Of the server."""
    return authority.issue("localhost", "127.0.0.1").write(authority.path.with_name("server.pem"))


@pytest.fixture
def plain_connect() -> Iterator[Any]:
    """``plain_connect(server)`` is a client that speaks no TLS, as yet."""
    clients: list[Client] = []

    def to(server: Server) -> Client:
        clients.append(Client(("127.0.0.1", server.port)))
        return clients[-1]

    yield to
    for client in clients:
        client.close()


def unchecked() -> ssl.SSLContext:
    """For a client that takes any certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def subject_of(client: TlsClient) -> str:
    """The name in the server's certificate."""
    der = client.tls.getpeercert(binary_form=True)
    assert der is not None
    name = x509.load_der_x509_certificate(der).subject
    return str(name.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)


# --- What the application is told -------------------------------------------------------------


def test_the_environ(serve: Serve, connect: Connect) -> None:
    app = Recorder()
    server = serve(validator(app), certfile=LOCALHOST)
    assert server.url == f"https://127.0.0.1:{server.port}"
    client = connect(server)
    assert client.exchange(get()).status == 200
    environ = app.environ
    assert isinstance(client, TlsClient)
    cipher = client.tls.cipher()
    assert cipher is not None
    ours = {name: environ[name] for name in environ if name.startswith(("HTTPS", "SSL_"))}
    assert ours == {
        "HTTPS": "on",
        "SSL_PROTOCOL": client.tls.version(),
        "SSL_CIPHER": cipher[0],
        "SSL_CIPHER_USEKEYSIZE": str(cipher[2]),
        "SSL_SESSION_RESUMED": "Initial",
        "SSL_CLIENT_VERIFY": "NONE",
        "SSL_TLS_SNI": "localhost",
    }
    assert environ["wsgi.url_scheme"] == "https"
    assert environ["REMOTE_ADDR"] == "127.0.0.1"


def test_fields_do_not_pretend_to_be_tls(serve: Serve, connect: Connect) -> None:
    app = Recorder()
    plain = connect(serve(app, header_map="dangerous"))
    plain.exchange(get("/", "HTTPS: on", "SSL_CLIENT_VERIFY: SUCCESS", "SSL-Client-Cert: x"))
    assert not [name for name in app.environ if name.startswith(("HTTPS", "SSL_"))]


@pytest.mark.rule("H037")
@pytest.mark.parametrize(("scheme", "status"), [("https", 200), ("http", 421)])
def test_a_target_of_another_scheme_is_misdirected(
    serve: Serve, connect: Connect, scheme: str, status: int
) -> None:
    client = connect(serve(hello, certfile=LOCALHOST))
    assert client.exchange(get(f"{scheme}://example.test/")).status == status


def test_a_resumed_session(serve: Serve) -> None:
    app = Recorder()
    server = serve(app, certfile=LOCALHOST)
    context = ssl.create_default_context(cafile=LOCALHOST)
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # the session is there with the handshake
    session = None
    for expected in ("Initial", "Resumed"):
        plain = socket.create_connection(("127.0.0.1", server.port), PATIENCE)
        with context.wrap_socket(plain, server_hostname="localhost", session=session) as client:
            client.sendall(get("/", "Connection: close"))
            while client.recv(65536):
                pass
            session = client.session
        assert app.environ["SSL_SESSION_RESUMED"] == expected
        assert app.environ["SSL_PROTOCOL"] == "TLSv1.2"


def test_a_unix_socket(tmp_path: Path, certificate: Path, authority: Authority) -> None:
    app = Recorder()
    path = tmp_path / "socket"
    with (
        Server(app, bind=f"unix:{path}", certfile=certificate),
        socket.socket(socket.AF_UNIX) as plain,
    ):
        plain.settimeout(PATIENCE)
        plain.connect(str(path))
        context = authority.client_context()
        with context.wrap_socket(plain, server_hostname="localhost") as client:
            client.sendall(get("/", "Connection: close"))
            assert client.recv(65536).endswith(b"ok")
    assert app.environ["SERVER_PORT"] == "443"
    assert "REMOTE_ADDR" not in app.environ


# --- Certificates of clients ---------------------------------------------------------------------


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_the_certificate_of_a_client(
    serve: Serve,
    connect: Connect,
    authority: Authority,
    certificate: Path,
    tmp_path: Path,
    version: ssl.TLSVersion,
) -> None:
    app = Recorder()
    name = subject(
        "Jörg, a+b",
        (NameOID.COUNTRY_NAME, "AT"),
        (NameOID.ORGANIZATIONAL_UNIT_NAME, "One"),
        (NameOID.ORGANIZATIONAL_UNIT_NAME, "Two"),
    )
    alternatives = x509.SubjectAlternativeName(
        [x509.RFC822Name("a@example.test"), x509.DNSName("a.test"), x509.DNSName("b.test")]
    )
    issued = authority.issue_to(name, alternatives)
    context = authority.client_context(issued.write(tmp_path / "client.pem"))
    context.minimum_version = context.maximum_version = version
    server = serve(
        validator(app), certfile=certificate, ca_certs=authority.path, cert_reqs="required"
    )
    assert connect(server, context=context).exchange(get()).status == 200
    environ = app.environ
    common = "Jörg, a+b".encode().decode("latin-1")  # a native string
    escaped = common.replace(",", r"\,").replace("+", r"\+")
    assert {each: environ[each] for each in environ if each.startswith("SSL_CLIENT_S_DN")} == {
        "SSL_CLIENT_S_DN": f"CN={escaped},OU=Two,OU=One,C=AT",
        "SSL_CLIENT_S_DN_CN": common,
        "SSL_CLIENT_S_DN_OU": "One",
        "SSL_CLIENT_S_DN_OU_1": "Two",
        "SSL_CLIENT_S_DN_C": "AT",
    }
    assert environ["SSL_CLIENT_VERIFY"] == "SUCCESS"
    assert environ["SSL_CLIENT_I_DN"] == "CN=Test authority,O=Tests"
    assert environ["SSL_CLIENT_M_SERIAL"] == f"{issued.certificate.serial_number:X}".zfill(
        len(environ["SSL_CLIENT_M_SERIAL"])
    )
    assert environ["SSL_CLIENT_M_VERSION"] == "3"
    begin = ssl.cert_time_to_seconds(environ["SSL_CLIENT_V_START"])
    assert begin == issued.certificate.not_valid_before_utc.timestamp()
    end = ssl.cert_time_to_seconds(environ["SSL_CLIENT_V_END"])
    assert end == issued.certificate.not_valid_after_utc.timestamp()
    assert environ["SSL_CLIENT_CERT"].encode() == issued.certificate_in_pem
    assert environ["SSL_CLIENT_SAN_Email_0"] == "a@example.test"
    assert environ["SSL_CLIENT_SAN_DNS_1"] == "b.test"


@pytest.mark.parametrize("kind", ["none", "of somebody unknown"])
@pytest.mark.parametrize("cert_reqs", ["required", "optional"])
def test_a_client_without_a_good_certificate(
    serve: Serve,
    connect: Connect,
    authority: Authority,
    certificate: Path,
    tmp_path: Path,
    kind: str,
    cert_reqs: str,
) -> None:
    """One that it cannot prove is refused in any case; having none, only where it has to."""
    app = Recorder()
    server = serve(app, certfile=certificate, ca_certs=authority.path, cert_reqs=cert_reqs)
    own = None
    if kind != "none":
        other = Authority(tmp_path, "Somebody else")
        own = other.issue_to(subject("impostor")).write(tmp_path / "impostor.pem")
    client = connect(server, context=authority.client_context(own))
    client.send(get())
    if kind == "none" and cert_reqs == "optional":
        assert client.response().status == 200
        assert app.environ["SSL_CLIENT_VERIFY"] == "NONE"
        assert "SSL_CLIENT_CERT" not in app.environ
    else:
        with pytest.raises(Truncated):
            client.response()
        assert app.environs == []


# --- What is spoken ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("least", "most", "spoken"),
    [
        ("1.2", ssl.TLSVersion.TLSv1_1, None),
        ("1.2", ssl.TLSVersion.TLSv1_2, "TLSv1.2"),
        ("1.2", ssl.TLSVersion.TLSv1_3, "TLSv1.3"),
        ("1.3", ssl.TLSVersion.TLSv1_2, None),
        ("1.3", ssl.TLSVersion.TLSv1_3, "TLSv1.3"),
    ],
)
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated")
def test_the_oldest_version(
    serve: Serve,
    connect: Connect,
    least: str,
    most: ssl.TLSVersion,
    spoken: str | None,
) -> None:
    server = serve(hello, certfile=LOCALHOST, tls_min_version=least)
    context = unchecked()
    context.maximum_version = most
    if most is ssl.TLSVersion.TLSv1_1:
        context.minimum_version = most
        context.set_ciphers("ALL:@SECLEVEL=0")
    if spoken is None:
        with pytest.raises(ssl.SSLError):
            connect(server, context=context)
    else:
        client = connect(server, context=context)
        assert isinstance(client, TlsClient)
        assert client.tls.version() == spoken
        assert client.exchange(get()).status == 200


def test_the_protocol_is_agreed_on(serve: Serve, connect: Connect) -> None:
    server = serve(hello, certfile=LOCALHOST)
    context = unchecked()
    context.set_alpn_protocols(["h2", "http/1.1"])
    client = connect(server, context=context)
    assert isinstance(client, TlsClient)
    assert client.tls.selected_alpn_protocol() == "http/1.1"


def test_the_ciphers(serve: Serve, connect: Connect) -> None:
    server = serve(hello, certfile=LOCALHOST, ciphers="ECDHE-ECDSA-CHACHA20-POLY1305")
    context = unchecked()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    client = connect(server, context=context)
    assert isinstance(client, TlsClient)
    cipher = client.tls.cipher()
    assert cipher is not None
    assert cipher[0] == "ECDHE-ECDSA-CHACHA20-POLY1305"


# --- Hosts ------------------------------------------------------------------------------------


def test_a_certificate_for_each_host(
    serve: Serve, connect: Connect, authority: Authority, certificate: Path, tmp_path: Path
) -> None:
    app = Recorder()
    authority.issue("one.test").write(tmp_path / "one.test.pem")
    two = authority.issue("two.test")
    (tmp_path / "TWO.test.crt").write_bytes(two.certificate_in_pem)
    two.write(tmp_path / "TWO.test.key")
    authority.issue("*.all.test").write(tmp_path / "_.all.test.pem")
    authority.issue("own.all.test").write(tmp_path / "own.all.test.pem")
    (tmp_path / "README").write_text("no certificate")
    server = serve(
        app,
        certfile=certificate,
        sni_dir=tmp_path,
        ca_certs=authority.path,
        cert_reqs="optional",
    )
    own = authority.issue_to(subject("me")).write(tmp_path.parent / "me.pem")
    context = authority.client_context(own)
    # What the client checks here is that the certificate is for the host.
    for host, name in [
        ("one.test", "one.test"),
        ("ONE.test", "one.test"),
        ("two.test", "two.test"),
        ("x.all.test", "*.all.test"),
        ("own.all.test", "own.all.test"),
        ("localhost", "localhost"),
        ("127.0.0.1", "localhost"),
    ]:
        client = connect(server, context=context, host=host)
        assert isinstance(client, TlsClient)
        assert subject_of(client) == name
        assert client.exchange(get()).status == 200
        assert app.environ["SSL_CLIENT_S_DN"] == "CN=me"
        sni = None if host == "127.0.0.1" else host.lower()
        assert app.environ.get("SSL_TLS_SNI") == sni
    for host in ("all.test", "a.b.all.test", "unknown.test"):
        client = connect(server, context=unchecked(), host=host)
        assert isinstance(client, TlsClient)
        assert subject_of(client) == "localhost"


# --- Renewal ----------------------------------------------------------------------------------


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are looked at for each connection."""
    monkeypatch.setattr("quaich.server.tls.certificates._LOOK", 0.0)


@pytest.mark.usefixtures("eager")
def test_a_renewed_certificate_is_noticed(
    serve: Serve,
    connect: Connect,
    authority: Authority,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "quaich.error")
    path, hosts = tmp_path / "server.pem", tmp_path / "hosts"
    hosts.mkdir()
    authority.issue("one").write(path)
    authority.issue("host.test", "old").write(hosts / "host.test.pem")
    server = serve(hello, certfile=path, sni_dir=hosts)

    def name(host: str = "localhost") -> str:
        client = connect(server, context=unchecked(), host=host)
        assert isinstance(client, TlsClient)
        assert client.exchange(get()).status == 200
        return subject_of(client)

    old = connect(server, context=unchecked())
    assert (name(), name("host.test"), name("new.test")) == ("one", "host.test", "one")
    # As certbot does it: another file under the same name.
    authority.issue("two").write(tmp_path / "next.pem").replace(path)
    authority.issue("renewed").write(hosts / "host.test.pem")
    authority.issue("new.test").write(hosts / "new.test.pem")
    assert (name(), name("host.test"), name("new.test")) == ("two", "renewed", "new.test")
    (hosts / "new.test.pem").unlink()
    assert name("new.test") == "two"
    assert old.exchange(get()).status == 200
    assert f"the certificate in '{path}' is a new one" in caplog.messages


@pytest.mark.usefixtures("eager")
def test_a_broken_new_certificate_keeps_the_old_one(
    serve: Serve,
    connect: Connect,
    authority: Authority,
    tmp_path: Path,
    errors: Errors,
) -> None:
    certfile, keyfile = tmp_path / "cert.pem", tmp_path / "key.pem"
    old, new = authority.issue("old"), authority.issue("new")
    certfile.write_bytes(old.certificate_in_pem)
    old.write(keyfile)
    server = serve(hello, certfile=certfile, keyfile=keyfile)

    def name() -> str:
        client = connect(server, context=unchecked())
        assert isinstance(client, TlsClient)
        return subject_of(client)

    assert name() == "old"
    certfile.write_bytes(new.certificate_in_pem)  # the key is still to come
    assert [name(), name()] == ["old", "old"]
    (said,) = errors()
    assert said.getMessage() == (
        f"keyfile: the key in '{keyfile}' is not that of '{certfile}'; the former certificate stays"
    )
    new.write(keyfile)
    assert name() == "new"
    certfile.unlink()
    assert [name(), name()] == ["new", "new"]
    assert [said.getMessage() for said in errors()[1:]] == [
        f"certfile: cannot read '{certfile}': No such file or directory; the former certificate"
        " stays"
    ]


# --- Development ------------------------------------------------------------------------------


def test_a_certificate_for_development(
    connect: Connect, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Server(hello, bind="127.0.0.1:0", certfile="adhoc") as server:
        pem = ssl.get_server_certificate(("127.0.0.1", server.port), timeout=PATIENCE)
        (tmp_path / "adhoc.pem").write_text(pem)
        context = ssl.create_default_context(cafile=tmp_path / "adhoc.pem")
        for host in ("localhost", "127.0.0.1", "::1"):
            assert connect(server, context=context, host=host).exchange(get()).status == 200
    certificate = x509.load_pem_x509_certificate(pem.encode())
    from cryptography.hazmat.primitives import hashes

    fingerprint = certificate.fingerprint(hashes.SHA256()).hex(":").upper()
    assert [line for line in caplog.messages if "certificate" in line] == [
        f"a certificate for localhost was made, for development only; SHA-256 {fingerprint}"
    ]


# --- Peers that speak no TLS, or break it --------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [get(), post(BIG), b"G", b"\r\nGET / HTTP/1.1\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
    ids=["get", "post", "one letter", "empty line", "HTTP/2"],
)
def test_http_is_told_to_speak_https(serve: Serve, plain_connect: Any, data: bytes) -> None:
    server = serve(hello, certfile=LOCALHOST)
    client = plain_connect(server)
    sender = threading.Thread(target=lambda: contextless(client, data))
    sender.start()
    response = client.response()
    sender.join(PATIENCE)
    assert response.status == 400
    assert b"https://" in response.content
    assert response.field("Content-Type") == "text/plain; charset=utf-8"
    assert not response.persists


def contextless(client: Client, data: bytes) -> None:
    """Send what the server takes."""
    try:
        client.send(data)
    except OSError:
        pass


NO_TLS = {
    "zeros": bytes(100),
    "SSH": b"SSH-2.0-OpenSSH_9.2\r\n",
    "SSL 2": b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10" + bytes(40),
    "a record of nothing": b"\x16\x03\x01\x00\x00",
    "garbage in a record": b"\x16\x03\x01\x00\x05hello",
    "a huge record": b"\x16\x03\x01\xff\xff" + bytes(70_000),
    "an alert": b"\x15\x03\x01\x00\x02\x02\x28",
    "half a record": b"\x16\x03\x01\x02\x00\x01\x00",
}


@pytest.mark.parametrize("how", ["it stays", "it ends", "it resets"])
@pytest.mark.parametrize("name", NO_TLS)
def test_garbage_in_the_handshake(
    serve: Serve,
    connect: Connect,
    plain_connect: Any,
    caplog: pytest.LogCaptureFixture,
    name: str,
    how: str,
) -> None:
    caplog.set_level(logging.DEBUG, "quaich.error")
    server = serve(hello, certfile=LOCALHOST, header_timeout="1h" if how != "it stays" else "50ms")
    client = plain_connect(server)
    contextless(client, NO_TLS[name])
    if how == "it resets":
        client.reset()
    else:
        if how == "it ends":
            with contextlib.suppress(OSError):  # the server may have ended it
                client.half_close()
        client._all()  # it is the server that ends it
    wait_until(lambda: not server._loop.connections.by_fd, "the connection to be closed")
    assert connect(server).exchange(get()).status == 200
    assert [record.message for record in caplog.records if record.levelno > logging.DEBUG] == []


def test_a_silent_client_is_closed_and_costs_no_thread(
    serve: Serve, connect: Connect, plain_connect: Any
) -> None:
    server = serve(hello, certfile=LOCALHOST, header_timeout="300ms", threads=1)
    silent = [plain_connect(server) for _ in range(4)]
    assert connect(server).exchange(get()).status == 200
    for client in silent:
        assert client.ending() is Ending.CLEAN


def test_a_client_that_goes_within_the_handshake(
    serve: Serve, connect: Connect, plain_connect: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "quaich.error")
    server = serve(hello, certfile=LOCALHOST)
    for leave in (Client.close, Client.reset):
        client = plain_connect(server)
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = unchecked().wrap_bio(incoming, outgoing)
        with pytest.raises(ssl.SSLWantReadError):
            tls.do_handshake()
        client.send(outgoing.read())
        client.receive(100)  # the server has begun to answer
        leave(client)
    wait_until(lambda: not server._loop.connections.by_fd, "the connections to be closed")
    assert connect(server).exchange(get()).status == 200
    assert [record.message for record in caplog.records if record.levelno > logging.DEBUG] == []


def test_a_handshake_byte_by_byte(serve: Serve, plain_connect: Any) -> None:
    """Also the request comes so, in records that are split."""
    server = serve(hello, certfile=LOCALHOST)
    client = plain_connect(server)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = unchecked().wrap_bio(incoming, outgoing)

    def shake_hands() -> bool:
        tls.do_handshake()
        return True

    def go(step: Any) -> Any:
        reads = 0
        while True:
            try:
                result = step()
            except ssl.SSLWantReadError:
                result = None
            for octet in outgoing.read():
                client.send(bytes((octet,)))
            if result is not None:
                return result
            client.socket.settimeout(PATIENCE)
            incoming.write(client.socket.recv(65536))
            reads += 1
            assert reads < 1000

    go(shake_hands)
    tls.write(get())
    assert go(lambda: tls.read(65536)).startswith(b"HTTP/1.1 200 ")


def test_a_request_in_the_same_segment_as_the_end_of_the_handshake(
    serve: Serve, plain_connect: Any
) -> None:
    """Of it no event tells. Also the client's end is there already."""
    server = serve(hello, certfile=LOCALHOST)
    for ends in (False, True):
        client = plain_connect(server)
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = unchecked().wrap_bio(incoming, outgoing)
        with pytest.raises(ssl.SSLWantReadError):
            tls.do_handshake()
        client.send(outgoing.read())
        client.socket.settimeout(PATIENCE)
        while True:
            incoming.write(client.socket.recv(65536))
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                pass
        tls.write(get())
        if ends:
            with pytest.raises(ssl.SSLWantReadError):
                tls.unwrap()
        client.send(outgoing.read())
        if ends:
            client.half_close()
        answer = b""
        while not answer.endswith(b"hello"):
            data = client.socket.recv(65536)
            assert data, f"it has ended behind {answer!r}"
            incoming.write(data)
            try:
                answer += tls.read(65536)
            except ssl.SSLWantReadError:
                pass


@pytest.mark.parametrize("when", ["before a request", "in a head", "in content", "in a response"])
def test_a_broken_record(
    serve: Serve, connect: Connect, caplog: pytest.LogCaptureFixture, when: str
) -> None:
    caplog.set_level(logging.DEBUG, "quaich.error")
    gate = Gate()

    def app(environ: Environ, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", PLAIN)
        yield b"first"
        gate.wait()
        yield b"second"

    server = serve(app, certfile=LOCALHOST)
    client = connect(server)
    assert isinstance(client, TlsClient)
    start = {"in a head": b"GET / HT", "in content": post(b"12345")[:-2], "in a response": get()}
    if when in start:
        client.send(start[when])
    if when == "in a response":
        client.receive_until(b"first")
    client.send_raw(b"\x17\x03\x03\x00\x25" + bytes(0x25))
    if when == "in a response":
        gate.open()
        try:
            client._all()
        finally:
            gate.open()
    else:
        assert client.ending() is Ending.RESET  # an alert
    wait_until(lambda: not server._loop.connections.by_fd, "the connection to be closed")
    gate.open()
    assert [record.message for record in caplog.records if record.levelno > logging.DEBUG] == []


def test_renegotiation_is_refused(serve: Serve, certificate: Path) -> None:
    server = serve(hello, certfile=certificate)
    arguments = ["s_client", "-connect", f"127.0.0.1:{server.port}", "-tls1_2"]
    try:
        done = subprocess.run(
            ["openssl", *arguments],
            input=b"R\n",
            capture_output=True,
            timeout=PATIENCE,
            check=False,
        )
    except FileNotFoundError:
        if "CI" in os.environ:
            raise
        pytest.skip("there is no openssl here")
    assert b"no renegotiation" in done.stderr


# --- How a connection ends ------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["HTTP/1.0", "HTTP/1.1"])
def test_a_whole_response_ends_with_a_farewell(
    serve: Serve, connect: Connect, version: str
) -> None:
    """Where the connection's end is the content's, only so a client knows that it is whole."""
    app = answering(lambda: iter([b"some", BIG]))
    client = connect(serve(app, certfile=LOCALHOST), receive_buffer=4096)
    response = client.exchange(get("/", "Connection: close", version=version))
    assert response.content == b"some" + BIG
    assert client.ending() is Ending.CLEAN


@pytest.mark.rule("S91")
@pytest.mark.parametrize("version", ["HTTP/1.0", "HTTP/1.1"])
def test_a_response_that_is_cut_off_has_no_farewell(
    serve: Serve, connect: Connect, errors: Errors, version: str
) -> None:
    def app(environ: Environ, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", PLAIN)
        yield b"some"
        raise LookupError

    client = connect(serve(app, certfile=LOCALHOST))
    client.send(get("/", version=version))
    with pytest.raises(Truncated) as caught:
        client.response()
    assert caught.value.ending is Ending.RESET
    assert len(errors()) == 1


def test_a_server_that_ends_cuts_off_without_a_farewell(serve: Serve, connect: Connect) -> None:
    gate = Gate()

    def app(environ: Environ, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", PLAIN)
        yield b"some"
        gate.wait()

    server = serve(app, certfile=LOCALHOST)
    client = connect(server)
    client.send(get(version="HTTP/1.0"))
    client.receive_until(b"some")
    assert server.close(0.0) == 1
    gate.open()
    client._all()
    assert client._ended is Ending.RESET


def test_an_idle_connection_ends_with_a_farewell(serve: Serve, connect: Connect) -> None:
    server = serve(hello, certfile=LOCALHOST, keep_alive="100ms")
    client = connect(server)
    assert client.exchange(get()).status == 200
    assert client.ending() is Ending.CLEAN


def test_an_answer_by_another_thread_ends_with_a_farewell(
    serve: Serve, connect: Connect, errors: Errors
) -> None:
    """The thread that should answer is stuck."""
    gate = Gate()

    def app(environ: Environ, start_response: Any) -> list[bytes]:
        gate.wait()
        return []

    client = connect(serve(app, certfile=LOCALHOST, timeout="100ms", threads=2))
    assert client.exchange(get()).status == 504
    assert client.ending() is Ending.CLEAN
    gate.open()


def test_a_name_that_is_none_is_no_line_in_the_log(
    serve: Serve, connect: Connect, plain_connect: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nor a traceback of Python's own, which anybody could have printed without end."""
    server = serve(hello, certfile=LOCALHOST)
    context = ssl.create_default_context(cafile=LOCALHOST)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    with contextlib.suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    found: list[Any] = []
    with pytest.MonkeyPatch.context() as patch:
        # The hook that there was before is called for all else.
        patch.setattr(sys, "unraisablehook", found.append)
        certificates._say_nothing_of_names()
        client = plain_connect(server)
        client.send(outgoing.read().replace(b"localhost", b"\xff\xfe\xfdalhost"))
        assert client.receive(1) == b"\x15"  # an alert
        assert connect(server).exchange(get()).status == 200
        sys.unraisablehook(cast("Any", SimpleNamespace(exc_value=ValueError("x"), object=None)))
    assert [str(each.exc_value) for each in found] == ["x"]
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_plain_http_is_told_as_the_method_has_it(
    serve: Serve, plain_connect: Any, method: str
) -> None:
    client = plain_connect(serve(hello, certfile=LOCALHOST))
    response = client.exchange(get(method=method), method)
    assert (response.status, bool(response.content)) == (400, method == "GET")
    assert client.ending() is Ending.CLEAN


def test_silent_handshakes_do_not_keep_a_server_from_stopping(
    serve: Serve, connect: Connect, plain_connect: Any
) -> None:
    server = serve(hello, certfile=LOCALHOST, header_timeout="1h")
    silent, idle = plain_connect(server), connect(server)
    assert idle.exchange(get()).status == 200
    server.stop()
    assert server.wait_until_stopped(PATIENCE)
    assert silent.ending() is Ending.CLEAN
    assert idle.ending() is Ending.CLEAN


@pytest.mark.parametrize("how", ["close", "reset", "farewell"])
def test_the_application_sees_that_the_client_has_gone(
    serve: Serve, connect: Connect, how: str
) -> None:
    gate, seen = Gate(), threading.Event()

    def app(environ: Environ, start_response: Any) -> list[bytes]:
        assert not environ["quaich.client_disconnected"]()
        gate.open()
        wait_until(environ["quaich.client_disconnected"], "the client to go")
        seen.set()
        start_response("200 OK", PLAIN)
        return [b""]

    client = connect(serve(app, certfile=LOCALHOST))
    assert isinstance(client, TlsClient)
    client.send(get())
    gate.wait()
    if how == "reset":
        client.reset()
    elif how == "close":
        client.close()
    else:
        client.socket.settimeout(0)
        with pytest.raises(ssl.SSLWantReadError):
            client.tls.unwrap()
        client.close()
    assert seen.wait(PATIENCE)


# --- Two threads ------------------------------------------------------------------------------


@on_one_poller
def test_both_directions_at_once(serve: Serve, connect: Connect) -> None:
    """The application reads the content and answers with it, while the leader sends what the
    client has not taken; OpenSSL's state is used by one thread at a time."""

    def app(environ: Environ, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", PLAIN)
        while block := environ["wsgi.input"].read(30_000):
            yield block

    server = serve(app, certfile=LOCALHOST, stream_body=True, threads=3, response_buffer="64k")
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context = unchecked()
        context.maximum_version = version
        client = connect(server, context=context, receive_buffer=8192)
        other = connect(server)
        send_while_reading(client, post(BIG))
        assert client.response().content == BIG
        assert other.exchange(post(b"x")).content == b"x"


def send_while_reading(client: Client, data: bytes) -> None:
    """What comes meanwhile is held. Not in two threads: this is a client with OpenSSL, too."""
    view = memoryview(data)
    client.socket.settimeout(0)
    while view:
        try:
            view = view[client.socket.send(view[:65536]) :]
        except (ssl.SSLWantWriteError, ssl.SSLWantReadError):
            ready, _, _ = select.select([client.socket], [client.socket], [], PATIENCE)
            if ready:
                with contextlib.suppress(ssl.SSLWantReadError):
                    client.held += client.socket.recv(65536)


@on_one_poller
def test_a_slow_reader_costs_no_thread(serve: Serve, connect: Connect) -> None:
    server = serve(answering([BIG]), certfile=LOCALHOST, threads=1)
    slow = [connect(server, receive_buffer=4096) for _ in range(3)]
    for client in slow:
        client.send(get())
    quick = connect(server)
    assert quick.exchange(get()).content == BIG
    for client in slow:
        assert client.response().content == BIG


def test_requests_that_wait_in_the_system(serve: Serve, connect: Connect) -> None:
    """More of them than one read takes, and all are there before the first is answered: no event
    tells of the rest."""
    gate = Gate()

    def app(environ: Environ, start_response: Any) -> list[bytes]:
        if environ["PATH_INFO"] == "/first":
            gate.wait()
        start_response("200 OK", PLAIN)
        return [b"x"]

    client = connect(serve(app, certfile=LOCALHOST))
    count = 4000
    client.send(get("/first"))
    client.send(get() * count)
    gate.open()
    for _ in range(count + 1):
        assert client.response().content == b"x"


def test_a_certificate_that_does_not_fit_the_buffers(
    connect: Connect, authority: Authority, tmp_path: Path, poller: str
) -> None:
    """The rest of the handshake is sent when there is room."""
    path = authority.issue("localhost").write(tmp_path / "long.pem")
    with path.open("ab") as file:
        file.write(authority.path.read_bytes() * 120)  # OpenSSL's clients take 100 KiB
    listening = socket.create_server(("127.0.0.1", 0))
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    with listening, Server(hello, sockets=[listening], certfile=path, poller=poller) as server:
        client = connect(server, receive_buffer=4096, context=unchecked())
        assert client.exchange(get()).status == 200


def test_room_is_made_by_those_who_have_begun_nothing(
    serve: Serve, connect: Connect, plain_connect: Any
) -> None:
    server = serve(hello, certfile=LOCALHOST, worker_connections=2, header_timeout="1h")
    begun = plain_connect(server)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        unchecked().wrap_bio(incoming, outgoing).do_handshake()
    begun.send(outgoing.read()[:-1])
    wait_until(
        lambda: any(each.has_begun for each in [*server._loop.connections.by_fd.values()]),
        "the handshake to begin",
    )
    silent = plain_connect(server)
    wait_until(lambda: len(server._loop.connections) == 2, "the connection")
    assert connect(server).exchange(get()).status == 200
    assert silent.ending() is Ending.CLEAN
    assert begun.is_open()


# --- Other clients ----------------------------------------------------------------------------


def test_curl(serve: Serve) -> None:
    server = serve(echo, certfile=LOCALHOST)
    url = f"https://localhost:{server.port}"
    arguments = ["--silent", "--show-error", "--cacert", str(LOCALHOST)]
    requests = [
        *["--data-binary", "@-", "-w", "%{num_connects} %{ssl_verify_result}\n", f"{url}/1"],
        *["--next", *arguments, "--data", "two", "-w", "%{num_connects}\n", f"{url}/2"],
    ]
    try:
        done = subprocess.run(
            ["curl", *arguments, *requests],
            input=BIG,
            capture_output=True,
            timeout=PATIENCE,
            check=False,
        )
    except FileNotFoundError:
        if "CI" in os.environ:
            raise
        pytest.skip("there is no curl here")
    assert done.stderr == b""
    assert done.stdout == BIG + b"1 0\n" + b"two0\n"


@pytest.mark.parametrize("name", ["ssl", "cryptography"])
def test_a_server_without_tls_loads_none(name: str) -> None:
    code = (
        "import sys, quaich\n"
        "quaich.Server(lambda *args: [], bind='127.0.0.1:0').close()\n"
        f"print({name!r} in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, timeout=PATIENCE, check=True, text=True
    )
    assert json.loads(done.stdout.lower()) is False
