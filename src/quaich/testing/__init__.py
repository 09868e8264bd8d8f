"""Tools for tests of applications.

``quaich.testing.plugin`` is a plugin of pytest, which finds it by itself where Quaich is installed.
It has one fixture, ``wsgi_server``.

Without pytest there is nothing to add: ``with quaich.Server(app, bind="127.0.0.1:0") as server``.
"""

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from quaich.server.server import Server
    from quaich.types import WSGIApplication

__all__ = ["Serve"]


class Serve(Protocol):
    """The type of the fixture ``wsgi_server``, for those who annotate their tests."""

    def __call__(self, application: "WSGIApplication", **settings: Any) -> "Server":
        """Serve an application until the test ends."""
