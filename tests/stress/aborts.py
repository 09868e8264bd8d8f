"""Clients that go, in each phase of a request."""

import random
import threading
from collections import Counter
from collections.abc import Callable

from server.wire import Client, get, post
from stress.traffic import Address

Phase = Callable[[Client], None]


def after_connecting(client: Client) -> None:
    pass


def in_the_head(client: Client) -> None:
    client.send(get("/echo?id=gone")[:-10])


def in_the_head_half_closed(client: Client) -> None:
    client.send(get("/echo?id=gone")[:-10])
    client.half_close()
    client.rest()


def in_the_content(client: Client) -> None:
    client.send(post(bytes(200_000), "/echo?id=gone")[:100_000])


def in_a_chunk(client: Client) -> None:
    client.send(get("/echo?id=gone", "Transfer-Encoding: chunked", method="POST") + b"ff\r\nabc")


def before_reading(client: Client) -> None:
    client.send(get("/echo?id=gone"))


def before_reading_much(client: Client) -> None:
    client.send(get("/big?id=gone&size=3000000"))


def half_closed(client: Client) -> None:
    client.send(get("/echo?id=gone"))
    client.half_close()
    assert client.response().status == 200


def in_the_response(client: Client) -> None:
    client.send(get("/big?id=gone&size=3000000"))
    client.receive(1000)


def in_a_stream(client: Client) -> None:
    client.send(get("/stream?id=gone&blocks=300&size=20000"))
    client.receive(1000)


def in_a_file(client: Client) -> None:
    client.send(get("/file?id=gone"))
    client.receive(1000)


def in_a_pipeline(client: Client) -> None:
    client.send(get("/echo?id=gone") * 20 + get("/big?id=gone&size=300000") * 3)


def while_it_sleeps(client: Client) -> None:
    client.send(get("/sleep?id=gone&ms=10"))


def before_100(client: Client) -> None:
    client.send(get("/echo?id=g", "Expect: 100-continue", "Content-Length: 9", method="POST"))


def after_100(client: Client) -> None:
    before_100(client)
    client.receive_until(b"\r\n\r\n")


def after_100_in_the_content(client: Client) -> None:
    after_100(client)
    client.send(b"abc")


PHASES: list[Phase] = [
    after_connecting,
    in_the_head,
    in_the_head_half_closed,
    in_the_content,
    in_a_chunk,
    before_reading,
    before_reading_much,
    half_closed,
    in_the_response,
    in_a_stream,
    in_a_file,
    in_a_pipeline,
    while_it_sleeps,
    before_100,
    after_100,
    after_100_in_the_content,
]


class Aborting:
    """Clients that go, a few at once, until the context ends. ``counts``: by phase. ``faults``:
    what the server did wrong to them."""

    def __init__(self, address: Address, clients: int = 4) -> None:
        self.counts: Counter[str] = Counter()
        self.faults: list[str] = []
        self._address = address
        self._ending = threading.Event()
        self._mutex = threading.Lock()
        self._threads = [
            threading.Thread(target=self._work, args=(number,)) for number in range(clients)
        ]

    def _work(self, number: int) -> None:
        chance = random.Random(number)
        counts: Counter[str] = Counter()
        while not self._ending.is_set():
            phase = chance.choice(PHASES)
            is_reset = chance.random() < 0.5
            counts[phase.__name__] += 1
            try:
                client = Client(self._address)
                try:
                    phase(client)
                finally:
                    if is_reset:
                        client.reset()
                    else:
                        client.close()
            except (AssertionError, EOFError, OSError) as error:
                self.faults.append(f"{phase.__name__}: {error!r}")
        with self._mutex:
            self.counts += counts

    def __enter__(self) -> "Aborting":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._ending.set()
        for thread in self._threads:
            thread.join()
