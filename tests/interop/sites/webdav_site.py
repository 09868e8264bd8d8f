"""WsgiDAV over a directory; as a program, on cheroot, the server that it comes with."""

# mypy: disable-error-code="import-not-found,import-untyped"

import signal
import sys
from typing import Any

from wsgidav.wsgidav_app import WsgiDAVApp


def make(directory: str) -> Any:
    """The application; everybody may write."""
    return WsgiDAVApp(
        {
            "provider_mapping": {"/": directory},
            "simple_dc": {"user_mapping": {"*": True}},
            "http_authenticator": {"domain_controller": None},
            "lock_storage": True,
            "property_manager": True,
            "verbose": 1,
            "logging": {"enable": False},
        }
    )


def on_cheroot(directory: str) -> None:
    """Serve it until SIGTERM; says where, as Quaich does."""
    from cheroot import wsgi

    server = wsgi.Server(("127.0.0.1", 0), make(directory))
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit())
    server.prepare()
    print(f"Listening on http://127.0.0.1:{server.bind_addr[1]}", file=sys.stderr, flush=True)
    try:
        server.serve()
    finally:
        server.stop()


if __name__ == "__main__":
    on_cheroot(sys.argv[1])
