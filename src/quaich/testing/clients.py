"""Where the test clients of other projects call an application, and how a checker comes between.

    Clients.install       puts the patches on: at once for what is imported, else with the import
      Clients.checked       gives the checked application in an application's place
    Clients.undo          takes everything off again

Nothing is imported for it. Werkzeug's client (and so Flask's), WebTest's, HTTPX's and Falcon's
call a WSGI application, and get a checked one to call. Django's calls no WSGI application but asks
a handler for a response object: what ``WSGIHandler`` would make of that object is given to the
checker.
"""

import copy
import functools
import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, Final

from quaich.conformance import Checker, Report, Where
from quaich.conformance.checker import site
from quaich.conformance.checker.exchange import Exchange
from quaich.conformance.findings import Breach


class Clients:
    """The patches of all clients. ``report`` tells who takes the findings of a request that
    begins now; where it is None, the request is not looked at."""

    def __init__(self, report: Callable[[], Report | None]) -> None:
        self.report = report
        self.unknown: list[str] = []
        """Modules that are not as they are known: what they call is not checked."""
        self._finder = _Finder(self._patch)
        self._undoing: list[Callable[[], None]] = []

    def install(self) -> None:
        """Be there wherever a client calls an application from now on."""
        sys.meta_path.insert(0, self._finder)
        for name in _PATCHES:
            if name in sys.modules:
                self._patch(sys.modules[name])

    def undo(self) -> None:
        """Leave all modules as they were."""
        if self._finder in sys.meta_path:
            sys.meta_path.remove(self._finder)
        while self._undoing:
            self._undoing.pop()()

    def checked(self, application: Any) -> Any:
        """What a client is to call in the application's place."""
        if isinstance(application, Checker):
            return application  # somebody's own
        report = self.report()
        return application if report is None else Checker(application, report)

    def replace(self, owner: Any, name: str, make: Callable[[Any], Any]) -> None:
        """Put ``make(original)`` in the place of a function or method."""
        original = getattr(owner, name)
        replacement = functools.wraps(original)(make(original))
        is_own = name in vars(owner)
        setattr(owner, name, replacement)

        def undo() -> None:
            if vars(owner).get(name) is not replacement:
                return  # somebody has put another over it, who may yet put ours back
            if is_own:
                setattr(owner, name, original)
            else:
                delattr(owner, name)

        self._undoing.append(undo)

    def _patch(self, module: ModuleType) -> None:
        try:
            _PATCHES[module.__name__](self, module)
        except AttributeError:  # no reason to fail somebody's import
            self.unknown.append(module.__name__)


# --- Clients that call an application ------------------------------------------------------------


def _werkzeug(clients: Clients, module: Any) -> None:
    """Client.run_wsgi_app() calls this function of the module."""

    def make(run: Callable[..., Any]) -> Callable[..., Any]:
        def run_wsgi_app(app: Any, *args: Any, **keywords: Any) -> Any:
            return run(clients.checked(app), *args, **keywords)

        return run_wsgi_app

    clients.replace(module, "run_wsgi_app", make)


def _httpx(clients: Clients, module: Any) -> None:
    """handle_request() calls what is in ``self.app``. Another thread may use the same transport,
    so it is a copy that gets another ``app``."""

    def make(handle: Callable[..., Any]) -> Callable[..., Any]:
        def handle_request(self: Any, request: Any) -> Any:
            app = clients.checked(self.app)
            if app is not self.app:
                self = copy.copy(self)
                self.app = app
            return handle(self, request)

        return handle_request

    clients.replace(module.WSGITransport, "handle_request", make)


def _webtest_lint(clients: Clients, module: Any) -> None:
    """TestApp calls the application by way of this middleware, which is to be outside: or it
    would be the middleware that is checked."""

    def make(middleware: Callable[..., Any]) -> Callable[..., Any]:
        def checked_middleware(application: Any, *args: Any, **keywords: Any) -> Any:
            return middleware(clients.checked(application), *args, **keywords)

        return checked_middleware

    clients.replace(module, "middleware", make)


def _webtest(clients: Clients, module: Any) -> None:
    """With ``lint=False`` the request calls the application itself."""

    def make(call: Callable[..., Any]) -> Callable[..., Any]:
        def call_application(self: Any, application: Any, *args: Any, **keywords: Any) -> Any:
            if getattr(application, "__module__", None) != "webtest.lint":
                application = clients.checked(application)
            return call(self, application, *args, **keywords)

        return call_application

    clients.replace(module.TestRequest, "call_application", make)


def _falcon(clients: Clients, module: Any) -> None:
    """TestClient and simulate_get() call this function of the module. It takes applications of
    ASGI as well, which are left alone."""
    is_asgi = module._is_asgi_app

    def make(simulate: Callable[..., Any]) -> Callable[..., Any]:
        def simulate_request(app: Any, *args: Any, **keywords: Any) -> Any:
            if not is_asgi(app):
                app = clients.checked(app)
            return simulate(app, *args, **keywords)

        return simulate_request

    clients.replace(module, "simulate_request", make)


# --- Django ---------------------------------------------------------------------------------------

_exchange: ContextVar[tuple[Exchange, "_ViewReport"] | None] = ContextVar("exchange", default=None)


def _django(clients: Clients, module: Any) -> None:
    """The handler is called with an environ, and what its ``get_response()`` returns goes the
    way of WSGI beside it. Later would be too late: the client drops content that a status must
    not have."""

    def make_call(call: Callable[..., Any]) -> Callable[..., Any]:
        def __call__(self: Any, environ: Any) -> Any:  # noqa: N807 - the name of the original
            report = clients.report()
            if report is None:
                return call(self, environ)
            report = _ViewReport(report, site.of(call))
            exchange = Exchange(Checker(self, report), _no_start_response)
            exchange.begin(environ)
            token = _exchange.set((exchange, report))
            try:
                return call(self, environ)
            finally:
                _exchange.reset(token)

        return __call__

    def make_get_response(get_response: Callable[..., Any]) -> Callable[..., Any]:
        def get_checked_response(self: Any, request: Any) -> Any:
            response = get_response(self, request)
            current = _exchange.get()
            if current is not None:
                exchange, report = current
                report.request = request
                _look_at(response, exchange)
            return response

        return get_checked_response

    # get_response() is a base class's, which other handlers than the client's have as well.
    clients.replace(module.ClientHandler, "__call__", make_call)
    clients.replace(module.ClientHandler, "get_response", make_get_response)


def _look_at(response: Any, exchange: Exchange) -> None:
    """Give the checker what WSGIHandler gives a server."""
    cookies = [("Set-Cookie", each.output(header="")) for each in response.cookies.values()]
    status = f"{response.status_code} {response.reason_phrase}"
    exchange(status, [*response.items(), *cookies])
    if not response.streaming:
        exchange.returned([*response])
    elif not getattr(response, "is_async", False):
        # Watched when the test reads it.
        response.streaming_content = exchange.returned(response.streaming_content)


def _no_start_response(*args: Any) -> Callable[[bytes], None]:
    return _no_write


def _no_write(data: bytes) -> None:
    """Django's responses are iterated over, and never written."""


class _ViewReport(Report):
    """Of one request to Django. The values come from here, so here is where the checker sees them
    come from; the view that made them is what a developer can go to."""

    def __init__(self, report: Report, client: Where) -> None:
        super().__init__()
        self.request: Any = None
        self._report = report
        self._client = client

    def add(self, breach: Breach, party: str, where: Where) -> None:
        """Pass it on."""
        if where.file == __file__ or not where.line:
            where = self._client if party == "server" else _view(self.request)
        self._report.add(breach, party, where)


def _view(request: Any) -> Where:
    """Where the view of a request is, or the request, where no view answered it."""
    match = getattr(request, "resolver_match", None)
    if match is None:
        return Where(f"{request.method} {request.path}", 0, "")
    view = inspect.unwrap(match.func)
    # as_view() of Django's classes, and of the REST framework's
    kind = getattr(view, "view_class", None) or getattr(view, "cls", None)
    if kind is None:
        return site.of(view)
    try:
        return Where(
            inspect.getsourcefile(kind) or "", inspect.findsource(kind)[1] + 1, kind.__qualname__
        )
    except (OSError, TypeError):
        return site.of(kind)


# --- When they are imported -----------------------------------------------------------------------

_PATCHES: Final[Mapping[str, Callable[[Clients, Any], None]]] = {
    "django.test.client": _django,
    "falcon.testing.client": _falcon,
    "httpx": _httpx,
    "webtest.app": _webtest,
    "webtest.lint": _webtest_lint,
    "werkzeug.test": _werkzeug,
}


class _Finder(MetaPathFinder):
    """Finds nothing by itself: has what the others find told of when it is imported."""

    def __init__(self, then: Callable[[ModuleType], None]) -> None:
        self._then = then

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """As the other finders, for the modules of clients only."""
        if name not in _PATCHES:
            return None
        for finder in sys.meta_path:
            if finder is self or not hasattr(finder, "find_spec"):
                continue
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                if spec.loader is not None:
                    spec.loader = _Loader(spec.loader, self._then)
                return spec
        return None


class _Loader(Loader):
    """In the place of a module's loader until the module is there."""

    def __init__(self, loader: Any, then: Callable[[ModuleType], None]) -> None:
        self._loader = loader
        self._then = then

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """As the loader."""
        created: ModuleType | None = self._loader.create_module(spec)
        return created

    def exec_module(self, module: ModuleType) -> None:
        """As the loader, whose place ends here: sources and data are looked for by it."""
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        self._then(module)
