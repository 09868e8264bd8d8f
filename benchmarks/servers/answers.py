"""Whether a server answers a workload rightly; seen to before each measurement."""

import http.client
import socket
import ssl
from typing import Final

from benchmarks.servers.workloads import Workload

_SECONDS: Final = 10  # without an answer, until a server is given up

# So many, one after another on a connection: that it stays open, and a nap for the workloads
# where every 20th request takes one.
_TIMES: Final = 21


CLOSES: Final = "closes the connection after each answer"

# wrk takes each such answer for an error of reading as well.
ENDS_BY_CLOSING: Final = "ends each answer by closing the connection"


class WrongAnswer(Exception):
    """What a server did instead."""


def check(port: int, workload: Workload, context: ssl.SSLContext | None = None) -> str:
    """WrongAnswer if the answers are not what they have to be; a note on them, or nothing.

    ``context``: that of a client, for a server that speaks TLS.
    """
    try:
        if workload.pipelined > 1:
            _check_pipelined(port, workload)
            return ""
        return _check_in_turn(port, workload, context)
    except (OSError, http.client.HTTPException) as error:
        raise WrongAnswer(f"no answer: {type(error).__name__}: {error}") from error


def _check_in_turn(port: int, workload: Workload, context: ssl.SSLContext | None) -> str:
    connection = (
        http.client.HTTPConnection("127.0.0.1", port, timeout=_SECONDS)
        if context is None
        else http.client.HTTPSConnection("127.0.0.1", port, timeout=_SECONDS, context=context)
    )
    note = ""
    try:
        for _ in range(_TIMES):
            connection.request(workload.method, workload.path, workload.content or None)
            response = connection.getresponse()
            if response.status != 200:
                raise WrongAnswer(f"status {response.status} {response.reason}")
            if response.will_close:
                framed = response.length is not None or response.chunked
                note = CLOSES if framed else ENDS_BY_CLOSING
            content = response.read()
            if content != workload.answer:
                raise WrongAnswer(f"{_shape(content)} in place of {_shape(workload.answer)}")
    finally:
        connection.close()
    return note


def _check_pipelined(port: int, workload: Workload) -> None:
    request = f"{workload.method} / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()
    data = b""
    with socket.create_connection(("127.0.0.1", port), timeout=_SECONDS) as connection:
        connection.sendall(request * workload.pipelined)
        try:
            while data.count(workload.answer) < workload.pipelined:
                block = connection.recv(65536)
                if not block:
                    break
                data += block
        except (TimeoutError, ConnectionResetError):
            pass
    answered = data.count(workload.answer)
    if answered < workload.pipelined:
        raise WrongAnswer(f"answers {answered} of {workload.pipelined} pipelined requests")


def _shape(content: bytes) -> str:
    return repr(content) if len(content) <= 40 else f"{len(content)} bytes"
