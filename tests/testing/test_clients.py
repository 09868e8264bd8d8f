"""How test clients are reached: stand-ins for them, with what the real ones have at the places that
are patched. ``tests/interop/suite_checking.py`` has the real ones."""

import importlib
import inspect
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from quaich.conformance import Report, checker
from quaich.testing.clients import Clients

CALL = '''
def environ_of():
    """A server that breaks no rule."""
    import io
    return {
        "REQUEST_METHOD": "GET", "SCRIPT_NAME": "", "PATH_INFO": "/", "SERVER_NAME": "localhost",
        "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1", "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http", "wsgi.input": io.BytesIO(), "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True, "wsgi.multiprocess": False, "wsgi.run_once": False,
    }


def call(app):
    result = app(environ_of(), lambda status, headers, exc_info=None: print)
    try:
        return b"".join(result)
    finally:
        getattr(result, "close", bool)()
'''

STAND_INS = {
    "werkzeug/__init__.py": "",
    "werkzeug/test.py": CALL
    + """
def run_wsgi_app(app, environ, buffered=False):
    return call(app)

class Client:
    def __init__(self, application):
        self.application = application
    def open(self):
        return run_wsgi_app(self.application, {}, buffered=True)
""",
    "httpx.py": CALL
    + """
class WSGITransport:
    def __init__(self, app):
        self.app = app
    def handle_request(self, request):
        return call(self.app)
""",
    "webtest/__init__.py": "",
    "webtest/lint.py": """
def middleware(application, global_conf=None):
    def lint_app(environ, start_response):
        return application(environ, start_response)
    return lint_app
""",
    "webtest/app.py": CALL
    + """
from webtest import lint

class BaseRequest:
    def call_application(self, application, catch_exc_info=False):
        return call(application)

class TestRequest(BaseRequest):
    pass

class TestApp:
    def __init__(self, app, lint=True):
        self.app = app
        self.lint = lint
    def get(self):
        app = lint.middleware(self.app) if self.lint else self.app
        return TestRequest().call_application(app, catch_exc_info=True)
""",
    "falcon/__init__.py": "",
    "falcon/testing/__init__.py": "",
    "falcon/testing/client.py": CALL
    + """
import inspect

def _is_asgi_app(app):
    return len(inspect.getfullargspec(app).args) == 3

def simulate_request(app, method="GET", path="/"):
    return app({}, None, None) if _is_asgi_app(app) else call(app)

class TestClient:
    def __init__(self, app):
        self.app = app
    def simulate_get(self):
        return simulate_request(self.app, "GET")
""",
    "django/__init__.py": "",
    "django/test/__init__.py": "",
    "django/test/client.py": CALL
    + """
class BaseHandler:
    def get_response(self, request):
        return request.make(request)

class ClientHandler(BaseHandler):
    def __call__(self, environ):
        request = self.make_request(environ)
        response = self.get_response(request)
        if response.status_code == 204:
            response.content = b""  # as the real one does
        return response
""",
}


def hop(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Connection", "close")])
    return [b"hop"]


def _with_werkzeug(app: Any) -> bytes:
    answer: bytes = importlib.import_module("werkzeug.test").Client(app).open()
    return answer


def _with_httpx(app: Any) -> bytes:
    transport = importlib.import_module("httpx").WSGITransport(app)
    answer: bytes = transport.handle_request("GET")
    assert transport.app is app
    return answer


def _with_webtest(app: Any) -> bytes:
    answer: bytes = importlib.import_module("webtest.app").TestApp(app).get()
    return answer


def _with_webtest_without_lint(app: Any) -> bytes:
    answer: bytes = importlib.import_module("webtest.app").TestApp(app, lint=False).get()
    return answer


def _with_falcon(app: Any) -> bytes:
    answer: bytes = importlib.import_module("falcon.testing.client").TestClient(app).simulate_get()
    return answer


CALLERS: list[Callable[[Any], bytes]] = [
    _with_werkzeug,
    _with_httpx,
    _with_webtest,
    _with_webtest_without_lint,
    _with_falcon,
]

MODULES = (
    "django.test.client",
    "falcon.testing.client",
    "httpx",
    "webtest.app",
    "webtest.lint",
    "werkzeug.test",
)


@pytest.fixture(autouse=True)
def _stand_ins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, text in STAND_INS.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    tops = ("django", "falcon", "httpx", "webtest", "werkzeug")
    kept = {name: sys.modules.pop(name) for name in [*sys.modules] if name.split(".")[0] in tops}
    yield
    for name in [*sys.modules]:
        if name.split(".")[0] in tops:
            del sys.modules[name]
    sys.modules.update(kept)


@pytest.fixture
def report() -> Report:
    return Report()


@pytest.fixture
def clients(report: Report) -> Iterator[Clients]:
    clients = Clients(lambda: report)
    yield clients
    clients.undo()


def _rules(report: Report) -> list[tuple[str, int]]:
    return [(each.rule, each.count) for each in report.findings]


@pytest.mark.parametrize("call", CALLERS)
def test_a_client_that_is_imported_already(
    call: Callable[[Any], bytes], clients: Clients, report: Report
) -> None:
    assert call(hop) == b"hop"
    assert _rules(report) == []
    clients.install()
    assert call(hop) == b"hop"
    assert _rules(report) == [("A11", 1)]
    (finding,) = report.findings
    assert finding.where == (__file__, hop.__code__.co_firstlineno + 1, "hop")


@pytest.mark.parametrize("call", CALLERS)
def test_a_client_that_is_imported_later(
    call: Callable[[Any], bytes], clients: Clients, report: Report
) -> None:
    clients.install()
    assert sys.modules.keys().isdisjoint(MODULES)
    assert call(hop) == b"hop"
    assert _rules(report) == [("A11", 1)]


@pytest.mark.parametrize("call", CALLERS)
def test_a_request_that_is_not_looked_at(call: Callable[[Any], bytes]) -> None:
    clients = Clients(lambda: None)
    clients.install()
    try:
        assert call(hop) == b"hop"
    finally:
        clients.undo()


@pytest.mark.parametrize("call", CALLERS)
def test_a_checker_of_somebody_is_left_as_it_is(
    call: Callable[[Any], bytes], clients: Clients, report: Report
) -> None:
    clients.install()
    own = checker(hop)
    assert call(own) == b"hop"
    assert [each.rule for each in own.findings] == ["A11"]
    assert _rules(report) == []


def test_an_application_of_asgi_is_left_alone(clients: Clients, report: Report) -> None:
    def asgi(scope: Any, receive: Any, send: Any) -> bytes:
        return b"asgi"

    clients.install()
    assert _with_falcon(asgi) == b"asgi"
    assert _rules(report) == []


def _patched() -> set[str]:
    """What of the clients' modules stands in the place of something else."""
    owners: list[Any] = [importlib.import_module(name) for name in MODULES]
    owners += [value for each in owners for value in vars(each).values() if isinstance(value, type)]
    return {
        f"{owner.__name__}.{name}"
        for owner in owners
        for name, value in vars(owner).items()
        if hasattr(value, "__wrapped__")
    }


@pytest.mark.parametrize("is_imported", [True, False])
def test_everything_is_taken_off_again(clients: Clients, is_imported: bool) -> None:
    finders = [*sys.meta_path]
    if is_imported:
        assert _patched() == set()
    clients.install()
    assert _patched() == {
        "ClientHandler.__call__",
        "ClientHandler.get_response",
        "TestRequest.call_application",
        "WSGITransport.handle_request",
        "falcon.testing.client.simulate_request",
        "webtest.lint.middleware",
        "werkzeug.test.run_wsgi_app",
    }
    clients.undo()
    assert _patched() == set()
    assert sys.meta_path == finders
    # What was inherited is so again.
    assert "get_response" not in vars(sys.modules["django.test.client"].ClientHandler)
    assert "call_application" not in vars(sys.modules["webtest.app"].TestRequest)
    clients.undo()  # twice does no harm


def test_a_patch_over_ours_stays(clients: Clients, report: Report) -> None:
    httpx: Any = importlib.import_module("httpx")
    clients.install()
    ours = httpx.WSGITransport.handle_request

    def theirs(self: Any, request: Any) -> Any:
        return ours(self, request)

    httpx.WSGITransport.handle_request = theirs
    clients.undo()
    assert httpx.WSGITransport.handle_request is theirs


def test_a_module_has_its_own_loader(clients: Clients) -> None:
    """Or its source could not be found."""
    clients.install()
    module = importlib.import_module("werkzeug.test")
    assert module.__spec__ is not None
    assert module.__loader__ is module.__spec__.loader
    assert type(module.__loader__).__module__ != "quaich.testing.clients"
    assert "run_wsgi_app(self.application" in inspect.getsource(module.Client)


def test_a_module_that_is_not_there(clients: Clients, tmp_path: Path) -> None:
    (tmp_path / "httpx.py").unlink()
    importlib.invalidate_caches()
    clients.install()
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("webtest.absent")
    sys.meta_path[:], finders = [clients._finder], [*sys.meta_path]
    try:
        with pytest.raises(ModuleNotFoundError):
            importlib.import_module("httpx")
    finally:
        sys.meta_path[:] = finders


@pytest.mark.parametrize("is_imported", [True, False])
def test_a_module_that_is_another_than_is_known(
    clients: Clients, tmp_path: Path, is_imported: bool
) -> None:
    """It is imported as ever, and named."""
    (tmp_path / "httpx.py").write_text("class Transport:\n    pass\n")
    importlib.invalidate_caches()
    if is_imported:
        importlib.import_module("httpx")
    clients.install()
    assert importlib.import_module("httpx").Transport
    assert clients.unknown == ["httpx"]


# --- Django -------------------------------------------------------------------------------------


class Response:
    """As far as WSGIHandler looks at one."""

    streaming = False

    def __init__(self, content: bytes = b"", status: int = 200, **headers: str) -> None:
        self.content = content
        self.status_code = status
        self.reason_phrase = "Some Reason"
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}
        self.cookies: dict[str, Any] = {}

    def items(self) -> Any:
        return self.headers.items()

    def __iter__(self) -> Iterator[bytes]:
        return iter([self.content])


class Streaming(Response):
    streaming = True

    def __init__(self, blocks: Any, **headers: str) -> None:
        super().__init__(b"", 200, **headers)
        self._blocks = blocks

    @property
    def streaming_content(self) -> Any:
        return map(bytes, self._blocks)

    @streaming_content.setter
    def streaming_content(self, blocks: Any) -> None:
        self._blocks = iter(blocks)


class Request:
    """As a resolver leaves it."""

    method = "GET"
    path = "/page"

    def __init__(self, environ: dict[str, Any], view: Any) -> None:
        self.environ = environ
        self.make = view
        self.resolver_match = self
        self.func = view


@pytest.fixture
def ask(clients: Clients) -> Callable[[Any], Any]:
    client: Any = importlib.import_module("django.test.client")
    clients.install()

    def ask(view: Any, resolved: bool = True, **environ: Any) -> Any:
        handler = client.ClientHandler()

        def make_request(environ: dict[str, Any]) -> Request:
            request = Request(environ, view)
            if not resolved:
                request.resolver_match = None  # type: ignore[assignment]
            return request

        handler.make_request = make_request
        return handler({**client.environ_of(), **environ})

    return ask


def test_a_view_of_django(ask: Any, report: Report) -> None:
    def view(request: Request) -> Response:
        return Response(b"abc", Content_Length="4", Connection="close")

    assert ask(view).content == b"abc"
    place = (__file__, view.__code__.co_firstlineno, view.__qualname__)
    # Headers that are not sound are not looked at together with the content.
    assert [(each.rule, each.where) for each in report.findings] == [("A11", place)]


def test_content_that_djangos_client_drops(ask: Any, report: Report) -> None:
    assert ask(lambda request: Response(b"abc", 204)).content == b""
    assert _rules(report) == [("H120", 1)]


def test_cookies_of_django(ask: Any, report: Report) -> None:
    class Cookie:
        def output(self, header: str) -> str:
            return header + " name=line\nline"

    def view(request: Request) -> Response:
        response = Response()
        response.cookies["name"] = Cookie()
        return response

    ask(view)
    assert _rules(report) == [("A10", 1)]


def test_a_stream_of_django(ask: Any, report: Report) -> None:
    """It is looked at as the test reads it."""

    def view(request: Request) -> Response:
        return Streaming([b"abc", b"d"], Content_Length="5")

    response = ask(view)
    assert _rules(report) == []
    assert [*response.streaming_content] == [b"abc", b"d"]
    (finding,) = report.findings
    assert (finding.rule, finding.where.line) == ("A37", view.__code__.co_firstlineno)


def test_an_asynchronous_stream_of_django_is_left_alone(ask: Any, report: Report) -> None:
    blocks = [b"abc"]

    def view(request: Request) -> Response:
        response = Streaming(blocks, Content_Length="5")
        response.is_async = True  # type: ignore[attr-defined]
        return response

    assert ask(view)._blocks is blocks


def test_streams_of_a_request_to_django(ask: Any, report: Report) -> None:
    def view(request: Request) -> Response:
        request.environ["wsgi.input"].close()
        return Response()

    ask(view)
    (finding,) = report.findings
    assert (finding.rule, finding.where.line) == ("A32", view.__code__.co_firstlineno + 1)


def test_an_environ_of_djangos_client(ask: Any, report: Report) -> None:
    ask(lambda request: Response(), SERVER_PORT="http")
    (finding,) = report.findings
    assert (finding.rule, finding.party) == ("S29", "server")
    assert finding.where.file.endswith("client.py")
    assert finding.where.function == "ClientHandler.__call__"


def test_a_class_of_views_of_django(ask: Any, report: Report, tmp_path: Path) -> None:
    class Page:
        pass

    def view(request: Request) -> Response:
        return Response(Connection="close")

    for name in ("view_class", "cls"):
        vars(view).clear()
        setattr(view, name, Page)
        ask(view)
    (finding,) = report.findings
    assert finding.where.function == Page.__qualname__
    assert finding.where.line == inspect.findsource(Page)[1] + 1
    assert finding.count == 2


def test_a_class_of_views_without_source(ask: Any, report: Report) -> None:
    def view(request: Request) -> Response:
        return Response(Connection="close")

    view.cls = type("Made", (), {"__init__": lambda self: None, "__module__": "absent"})  # type: ignore[attr-defined]
    ask(view)
    (finding,) = report.findings
    assert finding.where.function == "Made"


def test_a_request_that_no_view_of_django_has_answered(ask: Any, report: Report) -> None:
    ask(lambda request: Response(Connection="close"), resolved=False)
    (finding,) = report.findings
    assert str(finding.where) == "GET /page"


def test_django_without_a_report() -> None:
    clients = Clients(lambda: None)
    client: Any = importlib.import_module("django.test.client")
    clients.install()
    try:
        handler = client.ClientHandler()
        handler.make_request = lambda environ: Request(environ, lambda request: Response(b"abc"))
        environ = client.environ_of()
        stream = environ["wsgi.input"]
        assert handler(environ).content == b"abc"
        assert environ["wsgi.input"] is stream
    finally:
        clients.undo()
