"""The plugin of pytest: the fixture ``wsgi_server``.

pytest loads it in every project of an environment that has Quaich, so the module imports nothing
but what pytest has imported; the server comes with the first test that uses it.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import pytest

from quaich.testing import Serve

if TYPE_CHECKING:
    from quaich.server.server import Server
    from quaich.types import WSGIApplication

_GRACE: Final = 5.0
"""Seconds that requests have to end behind the test; the server's own 30 are for proxies."""


@pytest.fixture
def wsgi_server() -> Iterator[Serve]:
    """Serve applications on free ports of this host, until the test ends.

    ``wsgi_server(application, **settings)`` returns a :class:`quaich.Server` that answers. A test
    may call it several times. Requests that are under way when the test ends have 5 seconds, or
    what the setting ``graceful_timeout`` says; if they do not end, the test has an error.
    """
    servers: list[Server] = []

    def serve(application: "WSGIApplication", **settings: Any) -> "Server":
        from quaich.server.server import Server

        if "settings" not in settings:
            settings = {"bind": "127.0.0.1:0", "graceful_timeout": _GRACE} | settings
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
