"""The environ of a server: what is the same for every request of one listener
(PEP 3333, "environ Variables").

Nothing of the process's own environment comes in here (D056).
"""

import sys
from typing import Any

from quaich.types import WSGIEnvironment
from quaich.util import FileWrapper


class EmptyInput:
    """``wsgi.input`` of a request without content. It has no state, so one does for all."""

    def read(self, size: int | None = -1, /) -> bytes:
        return b""

    read1 = readline = read

    def readlines(self, hint: int | None = -1, /) -> list[bytes]:
        return []

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        """Nothing: the stream is the server's (A32)."""

    closed = False

    def __iter__(self) -> "EmptyInput":
        return self

    def __next__(self) -> bytes:
        raise StopIteration


class ErrorStream:
    """``wsgi.errors``: the standard error stream of the moment (S41-S43).

    Takes any text: what the stream cannot encode is written as an escape.
    """

    def write(self, text: str, /) -> int:
        stream = sys.stderr
        if stream is not None:
            try:
                stream.write(text)
            except UnicodeEncodeError:
                encoding = getattr(stream, "encoding", None) or "ascii"
                stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
            except (OSError, ValueError):
                pass  # closed, or nobody reads it: a request is not to fail for that
        return len(text)

    def writelines(self, lines: Any, /) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        stream = sys.stderr
        if stream is not None:
            try:
                stream.flush()
            except (OSError, ValueError):
                pass


def listener_environ(
    *,
    name: str,
    port: str,
    software: str,
    multithread: bool,
    multiprocess: bool = False,
    scheme: str = "http",
) -> WSGIEnvironment:
    """What is the same for all requests that come in by one listener.

    The variables that every request has are in it as well, with empty values: they are replaced,
    and a dictionary that has the keys already need not grow while it is filled.
    """
    return {
        "REQUEST_METHOD": "",
        "SCRIPT_NAME": "",
        "PATH_INFO": "",
        "QUERY_STRING": "",
        "REQUEST_URI": "",
        "RAW_URI": "",
        "SERVER_PROTOCOL": "",
        "SERVER_NAME": name,
        "SERVER_PORT": port,
        "SERVER_SOFTWARE": software,
        "GATEWAY_INTERFACE": "CGI/1.1",
        "REMOTE_ADDR": "",
        "REMOTE_PORT": "",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scheme,
        "wsgi.input": EmptyInput(),
        "wsgi.errors": ErrorStream(),
        "wsgi.multithread": multithread,
        "wsgi.multiprocess": multiprocess,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
        "wsgi.file_wrapper": FileWrapper,
        "quaich.client_disconnected": None,
    }
