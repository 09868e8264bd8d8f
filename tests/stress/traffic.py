"""Clients that behave: every request has its own id, and every answer is looked at."""

import random
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter

from server.wire import Client, Truncated, chunks, get, post
from stress.application import content_for, file_content, summary

Address = tuple[str, int]

_FILE = file_content()


@dataclass
class Tally:
    """What became of requests. ``lost``: what came instead of a whole right answer."""

    right: int = 0
    retried: int = 0  # met the end of an idle connection, and were sent anew
    lost: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def add(self, other: "Tally") -> None:
        self.right += other.right
        self.retried += other.retried
        self.lost += other.lost
        self.seconds += other.seconds

    def percentile(self, share: float) -> float:
        """Of the seconds that answers took, in milliseconds."""
        ordered = sorted(self.seconds)
        return 1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))]


# --- Kinds of requests: each makes one exchange or several on a client's connection -----------


def check(client: Client, name: str, content: bytes) -> None:
    response = client.response()
    if (response.status, response.field("X-Id"), response.content) != (200, name, content):
        raise AssertionError(
            f"{name}: {response.status} for {response.field('X-Id')}, {len(response.content)} "
            f"bytes instead of {len(content)}: {response.content[:60]!r}"
        )


def echo(client: Client, name: str, chance: random.Random) -> None:
    client.send(get(f"/echo?id={name}"))
    check(client, name, summary("GET", name, b""))


def upload(client: Client, name: str, chance: random.Random) -> None:
    content = content_for(name, chance.choice([0, 1, 1000, 70_000, 300_000]))
    client.send(post(content, f"/echo?id={name}"))
    check(client, name, summary("POST", name, content))


def chunked(client: Client, name: str, chance: random.Random) -> None:
    content = content_for(name, chance.choice([0, 1, 1000, 70_000]))
    blocks = [content[start : start + 5000] for start in range(0, len(content), 5000)]
    head = get(f"/echo?id={name}", "Transfer-Encoding: chunked", method="POST")
    client.send(head + chunks(*blocks))
    check(client, name, summary("POST", name, content))


def expecting(client: Client, name: str, chance: random.Random) -> None:
    content = content_for(name, 3000)
    head = get(f"/echo?id={name}", "Expect: 100-continue", "Content-Length: 3000", method="POST")
    client.send(head)
    if client.response().status != 100:
        raise AssertionError(f"{name}: no 100")
    client.send(content)
    check(client, name, summary("POST", name, content))


def ignored(client: Client, name: str, chance: random.Random) -> None:
    client.send(post(bytes(50_000), f"/ignore?id={name}"))
    check(client, name, f"ignored {name}".encode())


def big(client: Client, name: str, chance: random.Random) -> None:
    size = chance.choice([100, 40_000, 400_000])
    client.send(get(f"/big?id={name}&size={size}"))
    check(client, name, content_for(name, size))


def stream(client: Client, name: str, chance: random.Random) -> None:
    client.send(get(f"/stream?id={name}&blocks=6&size=9000"))
    check(client, name, content_for(name, 9000) * 6)


def file(client: Client, name: str, chance: random.Random) -> None:
    client.send(get(f"/file?id={name}"))
    check(client, name, _FILE)


def sleeping(client: Client, name: str, chance: random.Random) -> None:
    client.send(get(f"/sleep?id={name}&ms={chance.choice([0, 0.1, 1, 5])}"))
    check(client, name, f"slept {name}".encode())


def pipelined(client: Client, name: str, chance: random.Random) -> None:
    names = [f"{name}.{number}" for number in range(5)]
    client.send(b"".join(get(f"/echo?id={each}") for each in names))
    for each in names:
        check(client, each, summary("GET", each, b""))


def failing(client: Client, name: str, chance: random.Random) -> None:
    """The application raises before it answers."""
    client.send(get(f"/error?id={name}"))
    if client.response().status != 500:
        raise AssertionError(f"{name}: no 500")


def broken(client: Client, name: str, chance: random.Random) -> None:
    """The application raises after a block: what comes must not look whole."""
    client.send(get(f"/broken?id={name}"))
    try:
        client.response()
    except Truncated:
        return
    raise AssertionError(f"{name}: what is broken off looks whole")


Kind = Callable[[Client, str, random.Random], None]

MIXED: list[Kind] = [
    *[echo] * 8,
    *[upload, chunked] * 2,
    *[expecting, ignored, big, stream, file, sleeping, pipelined],
]


# --- Many of them -----------------------------------------------------------------------------


def run(
    address: Address,
    requests: int,
    clients: int,
    kinds: list[Kind] | None = None,
    *,
    persistent: float = 0.7,
    seed: int = 1,
) -> Tally:
    """As many requests by as many clients at once, of which the share ``persistent`` keeps its
    connection, while the others connect for each request."""
    total, mutex = Tally(), threading.Lock()

    def work(number: int) -> None:
        tally = _one(
            address,
            [f"{number}-{each}" for each in range(number, requests, clients)],
            kinds or MIXED,
            number < persistent * clients,
            random.Random(seed * 1000 + number),
        )
        with mutex:
            total.add(tally)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return total


def _one(
    address: Address, names: list[str], kinds: list[Kind], persists: bool, chance: random.Random
) -> Tally:
    tally = Tally()
    client: Client | None = None
    for name in names:
        kind = chance.choice(kinds)
        start = perf_counter()
        try:
            if client is not None:
                try:
                    kind(client, name, chance)
                except (Truncated, ConnectionError) as error:
                    if isinstance(error, Truncated) and (error.head or error.content):
                        raise
                    # The end of an idle connection: whoever keeps one has to expect it.
                    tally.retried += 1
                    client.close()
                    client = Client(address)
                    kind(client, name, chance)
            else:
                client = Client(address)
                kind(client, name, chance)
            tally.right += 1
            tally.seconds.append(perf_counter() - start)
        except (AssertionError, EOFError, OSError, ValueError) as error:
            tally.lost.append(f"{kind.__name__} {name}: {error!r}")
            persists_now = False
        else:
            persists_now = persists
        if not persists_now and client is not None:
            client.close()
            client = None
    if client is not None:
        client.close()
    return tally


def probe(address: Address, requests: int, *, fresh: bool = False) -> Tally:
    """Small requests, one after the other, on one connection or on a ``fresh`` one each."""
    tally = Tally()
    connection: socket.socket | None = None
    for number in range(requests):
        name = f"probe-{number}"
        expected = summary("GET", name, b"")
        start = perf_counter()
        try:
            if connection is None:
                connection = socket.create_connection(address, timeout=10)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.sendall(get(f"/echo?id={name}"))
            data = b""
            while not data.endswith(expected):
                block = connection.recv(65536)
                if not block:
                    raise EOFError(f"after {data!r}")
                data += block
            tally.seconds.append(perf_counter() - start)
            tally.right += 1
        except (EOFError, OSError) as error:
            tally.lost.append(f"{name}: {error!r}")
            fresh_now = True
        else:
            fresh_now = fresh
        if fresh_now and connection is not None:
            connection.close()
            connection = None
    if connection is not None:
        connection.close()
    return tally
