"""Behind a proxy: what the application sees of the client."""

from pathlib import Path

import pytest

from quaich.server.logs.access_log import AccessLog
from server.applications import Recorder
from server.conftest import Connect, Serve
from server.wire import get

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
