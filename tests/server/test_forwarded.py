"""Behind a proxy: what the application sees of the client."""

from pathlib import Path

import pytest

from quaich.exchange.forwarded import SAID_BY_PROXIES
from quaich.server.logs.access_log import AccessLog
from quaich.settings.operations import FORWARDED_HEADERS
from server.applications import Recorder
from server.conftest import Connect, Serve
from server.wire import LOCALHOST, get

KNOWN = {
    "forwarded",
    *(f"x-forwarded-{each}" for each in ("for", "host", "port", "prefix", "proto")),
}

pytestmark = [pytest.mark.live, pytest.mark.rule("S32")]


def test_a_proxy_on_this_host_is_believed(serve: Serve, connect: Connect) -> None:
    app = Recorder()
    client = connect(serve(app))
    fields = ("X-Forwarded-For: 203.0.113.9, 192.0.2.7", "X-Forwarded-Proto: https")
    # Another client's request comes by the same connection, and then the first one's again.
    for _ in range(3):
        client.exchange(get("/", *fields))
        assert app.environ["REMOTE_ADDR"] == "192.0.2.7"
        assert app.environ["wsgi.url_scheme"] == "https"
        client.exchange(get("/"))
        assert app.environ["REMOTE_ADDR"] == "127.0.0.1"
        assert app.environ["wsgi.url_scheme"] == "http"


def test_of_others_nothing_is_left(serve: Serve, connect: Connect) -> None:
    app = Recorder()
    client = connect(serve(app, forwarded_allow_ips="192.0.2.0/24"))
    client.exchange(get("/", "X-Forwarded-For: 192.0.2.7", "Forwarded: for=192.0.2.7"))
    assert app.environ["REMOTE_ADDR"] == "127.0.0.1"
    assert not [name for name in app.environ if "FORWARDED" in name]


def test_what_applications_believe_of_their_own_is_taken_out(
    serve: Serve, connect: Connect
) -> None:
    """Of a client that sends it through a proxy as well, unless that is said to set it."""
    fields = [f"{name}: x" for name in FORWARDED_HEADERS if name not in KNOWN]
    assert {f"HTTP_{name.upper().replace('-', '_')}" for name in FORWARDED_HEADERS} == {
        *SAID_BY_PROXIES
    }
    for allowed, believed, left in (
        ("192.0.2.0/24", "x-forwarded-user", []),
        ("127.0.0.1", "x-forwarded-proto", []),
        ("127.0.0.1", "x-forwarded-user", ["HTTP_X_FORWARDED_USER"]),
    ):
        app = Recorder()
        server = serve(app, forwarded_allow_ips=allowed, forwarded_headers=believed)
        connect(server).exchange(get("/", *fields))
        assert [name for name in app.environ if "FORWARDED" in name] == left


@pytest.mark.rule("H027")
@pytest.mark.rule("H037")
def test_an_absolute_target_has_the_scheme_that_the_proxy_tells(
    serve: Serve, connect: Connect
) -> None:
    server = serve(Recorder())
    for scheme, told, status in (
        ("https", "https", 200),
        ("http", "http", 200),
        ("http", "https", 421),
        ("https", "http", 421),
        ("https", "", 421),
        ("http", "", 200),
    ):
        fields = [f"X-Forwarded-Proto: {told}"] if told else []
        request = get(f"{scheme}://example.test/", *fields)
        assert connect(server).exchange(request).status == status
    server = serve(Recorder(), forwarded_allow_ips="none")
    request = get("https://example.test/", "X-Forwarded-Proto: https")
    assert connect(server).exchange(request).status == 421


def test_https_is_what_the_client_has_spoken(serve: Serve, connect: Connect) -> None:
    """As ``wsgi.url_scheme`` says."""
    app = Recorder()
    client = connect(serve(app))
    client.exchange(get("/", "X-Forwarded-Proto: https"))
    assert app.environ["HTTPS"] == "on"
    client.exchange(get("/", "X-Forwarded-Proto: http"))
    assert "HTTPS" not in app.environ
    client = connect(serve(app, certfile=LOCALHOST))
    client.exchange(get("/", "X-Forwarded-Proto: http"))
    assert "HTTPS" not in app.environ
    client.exchange(get("/"))
    assert app.environ["HTTPS"] == "on"


def test_what_is_malformed_is_refused(serve: Serve, connect: Connect) -> None:
    app = Recorder()
    client = connect(serve(app))
    response = client.exchange(get("/", "X-Forwarded-For: <nobody>"))
    assert response.status == 400
    assert app.environs == []


def test_the_root_path(serve: Serve, connect: Connect) -> None:
    app = Recorder()
    connect(serve(app, root_path="/shop")).exchange(get("/shop/cups"))
    assert (app.environ["SCRIPT_NAME"], app.environ["PATH_INFO"]) == ("/shop", "/cups")
    assert app.environ["RAW_URI"] == "/shop/cups"


def test_the_access_log_has_the_client(serve: Serve, connect: Connect, tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    log = AccessLog(str(path), "%(h)s")
    server = serve(Recorder(), access_log=log)
    client = connect(server)
    client.exchange(get("/", "X-Forwarded-For: 192.0.2.7"))
    client.exchange(get("/"))
    server.close()  # the line is written behind the response
    log.close()
    assert path.read_text("utf-8").split() == ["192.0.2.7", "127.0.0.1"]
