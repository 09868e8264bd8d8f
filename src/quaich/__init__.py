"""Quaich is WSGI, complete.

The modules that the standard library calls ``wsgiref`` stand here under the same names, with
the same public interface and their known defects mended: :mod:`quaich.util`,
:mod:`quaich.headers`, :mod:`quaich.handlers`, :mod:`quaich.simple_server`,
:mod:`quaich.validate` and :mod:`quaich.types`. :mod:`quaich.dropin` puts them in the place of
the standard ones for a whole program.

:func:`serve` and :class:`Server` are the production server. Like ``import wsgiref``,
``import quaich`` imports nothing of it until one of them is asked for.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from quaich.server.running import serve
    from quaich.server.server import Server

__all__ = ["Server", "__version__", "serve"]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name == "Server":
        from quaich.server.server import Server

        return Server
    if name == "serve":
        from quaich.server.running import serve

        return serve
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
