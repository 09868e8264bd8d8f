"""A relay in front of Quaich's server that changes what passes: a server that breaks a rule.

So a request in which something is wrong is served, or one in which nothing is wrong is not, and a
response is not what it should be.
"""

import contextlib
import re
import select
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from quaich.conformance.probe.judging import Probe, Verdict, judge
from quaich.conformance.probe.wire import Client
from quaich.conformance.rules import catalogue

Change = Callable[[bytes], bytes | None]


@dataclass(frozen=True)
class Relay:
    """What it does with each piece that passes (None: the connection is closed), and what with
    the connection once an answer has passed."""

    ask: Change = lambda data: data
    answer: Change = lambda data: data
    then: Literal["", "close", "reset"] = ""
    greet: bytes = b""  # sent to the client where ``ask`` leaves nothing of a piece


HONEST = Relay()


@contextlib.contextmanager
def serving(relay: Relay, port: int) -> Iterator[int]:
    """The relay's own port."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        stopping = threading.Event()
        threads: list[threading.Thread] = []

        def accept() -> None:
            while not stopping.is_set():
                client, _ = listener.accept()
                thread = threading.Thread(target=pass_on, args=(relay, client, port), daemon=True)
                threads.append(thread)
                thread.start()

        acceptor = threading.Thread(target=accept, daemon=True)
        acceptor.start()
        own: int = listener.getsockname()[1]
        try:
            yield own
        finally:
            stopping.set()
            socket.create_connection(("127.0.0.1", own)).close()
            for thread in [acceptor, *threads]:
                thread.join(10)


def pass_on(relay: Relay, client: socket.socket, port: int) -> None:
    """Both directions of one connection, until both sides have ended."""
    with (
        client,
        contextlib.suppress(OSError),  # the server may have ended, too
        socket.create_connection(("127.0.0.1", port)) as server,
    ):
        ways = {client: (server, relay.ask), server: (client, relay.answer)}
        while ways:
            for source in select.select(list(ways), [], [])[0]:
                target, change = ways[source]
                data = source.recv(1 << 20)
                if not data:
                    del ways[source]
                    target.shutdown(socket.SHUT_WR)
                    continue
                changed = change(data)
                if changed is None:
                    return
                target.sendall(changed)
                if not changed and source is client:
                    client.sendall(relay.greet)
                if source is server and relay.then:
                    if relay.then == "reset":
                        linger = struct.pack("ii", 1, 0)
                        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                    return


def verdict(rule: str, relay: Relay, port: int, *, has_application: bool = True) -> Verdict:
    """What the trial says of Quaich's server behind the relay."""
    with serving(relay, port) as own:
        probe = Probe(Client("127.0.0.1", own), has_application=has_application)
        (result,) = judge(probe, [rule])
        return result


def sub(pattern: bytes, by: bytes) -> Change:
    """Replace it where it is asked or answered."""
    return lambda data: re.sub(pattern, by, data, flags=re.DOTALL)


def asked(pattern: bytes, by: bytes) -> Relay:
    return Relay(ask=sub(pattern, by))


def answered(pattern: bytes, by: bytes, then: Literal["", "close", "reset"] = "") -> Relay:
    return Relay(answer=sub(pattern, by), then=then)


def dropped(pattern: bytes) -> Relay:
    """Close where an answer is of this kind."""
    return Relay(answer=lambda data: None if re.match(pattern, data) else data)


def status(old: int, new: int) -> Relay:
    return answered(rb"^HTTP/1.1 %d" % old, b"HTTP/1.1 %d" % new)


def wanted(rule: str) -> str:
    """The verdict of a breach: it fails, or is warned of, as the rule's severity says."""
    return "fail" if catalogue()[rule].severity == "error" else "warn"
