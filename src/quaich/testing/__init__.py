"""Tools for tests of applications.

``quaich.testing.plugin`` is a plugin of pytest, which finds it by itself where Quaich is installed.
It has the fixtures ``wsgi_server`` and ``wsgi_check``, and the option ``--quaich-check``.

Without pytest there is nothing to add: ``with quaich.Server(app, bind="127.0.0.1:0") as server``.
"""

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from quaich.conformance import Finding
    from quaich.server.server import Server
    from quaich.types import WSGIApplication

__all__ = ["Check", "Serve"]


class Serve(Protocol):
    """The type of the fixture ``wsgi_server``, for those who annotate their tests."""

    def __call__(self, application: "WSGIApplication", **settings: Any) -> "Server":
        """Serve an application until the test ends."""


class Check(Protocol):
    """The type of the fixture ``wsgi_check``."""

    def __call__(
        self, application: "WSGIApplication", *, inner: str = ..., outer: str = ...
    ) -> "WSGIApplication":
        """The application, checked until the test ends."""

    @property
    def findings(self) -> "list[Finding]":
        """What was found so far: by severity, then by rule."""
