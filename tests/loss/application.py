"""What is served: each answer has the id of its request, and the number of the process.

With the variable LOSS_JOURNAL, the file of that name gets a line ``ID PID`` for each request that
has begun.
"""

import os
from typing import Any

_PID = os.getpid()


def _journal() -> int | None:
    path = os.environ.get("LOSS_JOURNAL")
    return None if path is None else os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)


_JOURNAL = _journal()


def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    name = environ["QUERY_STRING"]
    if _JOURNAL is not None:
        os.write(_JOURNAL, f"{name} {_PID}\n".encode())
    content = environ["wsgi.input"].read()
    start_response(
        "200 OK",
        [
            ("Content-Type", "application/octet-stream"),
            ("Content-Length", str(len(name) + 1 + len(content))),
            ("X-Pid", str(_PID)),
        ],
    )
    return [name.encode(), b" ", content]
