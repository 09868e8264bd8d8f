"""An application that tells what it sees of a request, as JSON; ``X-Id`` comes back."""

import json
import os
from typing import Any

_SHOWN = (
    "REMOTE_ADDR",
    "SERVER_NAME",
    "SERVER_PORT",
    "HTTP_HOST",
    "SCRIPT_NAME",
    "PATH_INFO",
    "SERVER_PROTOCOL",
    "HTTP_X_FORWARDED_FOR",
    "HTTP_X_FORWARDED_HOST",
    "wsgi.url_scheme",
    "wsgi.multiprocess",
)


def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """See the module."""
    content = environ["wsgi.input"].read()
    seen = {name: environ[name] for name in _SHOWN if name in environ}
    seen |= {"size": len(content), "pid": os.getpid()}
    start_response(
        "200 OK",
        [("Content-Type", "application/json"), ("X-Id", environ.get("HTTP_X_ID", "-"))],
    )
    return [json.dumps(seen).encode()]
