"""The plugin of pytest: the fixtures ``wsgi_server`` and ``wsgi_check``, and ``--quaich-check``.

pytest loads it in every project of an environment that has Quaich, so the module imports nothing
but what pytest has imported; server and checker come with the first test that uses them.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import pytest

from quaich.testing import Check, Serve

if TYPE_CHECKING:
    from quaich.server.server import Server
    from quaich.types import WSGIApplication

_GRACE: Final = 5.0
"""Seconds that requests have to end behind the test; the server's own 30 are for proxies."""


_OPTIONS: Final = (
    ("select", "look for these rules of PEP 3333 and HTTP only: ids or beginnings, as A22,S"),
    ("ignore", "do not look for these rules"),
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--quaich-check`` and the options to it; the configuration has the same."""
    group = parser.getgroup("quaich", "checking WSGI applications")
    text = "check the WSGI applications that test clients call: errors fail the test"
    group.addoption("--quaich-check", action="store_true", help=text)
    parser.addini("quaich_check", text, type="bool", default=False)
    for name, text in _OPTIONS:
        group.addoption(f"--quaich-check-{name}", action="append", metavar="IDS", help=text)
        parser.addini(f"quaich_check_{name}", text, type="args", default=[])
    text = "warnings fail the test as well"
    group.addoption("--quaich-check-strict", action="store_true", help=text)
    parser.addini("quaich_check_strict", text, type="bool", default=False)


def pytest_configure(config: pytest.Config) -> None:
    """Turn the checker on, if it is wanted."""
    config.addinivalue_line(
        "markers",
        "quaich_check(is_on=True, *, select, ignore, strict): what --quaich-check and wsgi_check "
        "look for in this test",
    )
    if config.getoption("quaich_check") or config.getini("quaich_check"):
        from quaich.testing.checking import checking

        checking(config).turn_on()


@pytest.fixture
def wsgi_check(request: pytest.FixtureRequest) -> Check:
    """Check applications by the rules of PEP 3333 and HTTP.

    ``wsgi_check(application)`` returns the checked application, for any client to call. Errors
    that are found fail the test at its end; ``wsgi_check.findings`` has what was found so far.
    """
    from quaich.testing.checking import checking
    from quaich.testing.watch import WsgiCheck

    return WsgiCheck(checking(request.config).watch_of(request.node))


@pytest.fixture
def wsgi_server(request: pytest.FixtureRequest) -> Iterator[Serve]:
    """Serve applications on free ports of this host, until the test ends.

    ``wsgi_server(application, **settings)`` returns a :class:`quaich.Server` that answers. A test
    may call it several times. Requests that are under way when the test ends have 5 seconds, or
    what the setting ``graceful_timeout`` says; if they do not end, the test has an error.
    """
    servers: list[Server] = []
    checking = request.config.pluginmanager.get_plugin("quaich check")

    def serve(application: "WSGIApplication", **settings: Any) -> "Server":
        from quaich.server.server import Server

        if "settings" not in settings:
            settings = {"bind": "127.0.0.1:0", "graceful_timeout": _GRACE} | settings
        if checking is not None:
            application = checking.checked(application)
        server = Server(application, **settings)
        servers.append(server)
        server.start()
        return server

    yield serve
    faults = [fault for server in reversed(servers) if (fault := _close(server)) is not None]
    if faults:
        pytest.fail("\n".join(faults), pytrace=False)


def _close(server: "Server") -> str | None:
    """End a server; what is wrong, if something is."""
    try:
        cut_off = server.close()
    except Exception as error:
        return f"{server.url}: the server could not be closed: {error!r}"
    if not cut_off:
        return None
    requests = f"{cut_off} request{'' if cut_off == 1 else 's'}"
    return f"{server.url}: {requests} had not ended behind the test, and had to be cut off"
