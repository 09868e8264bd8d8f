"""The scenarios of ``tests/stress`` in their small size, and what must hold under many clients."""

import random
import sys
import threading
from collections.abc import Iterator
from time import sleep
from typing import Any

import pytest

from quaich import Server
from server.applications import PLAIN, Environ
from server.conftest import POLLERS, Serve
from server.wire import Client, get
from stress.scenarios import SCENARIOS

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(sys.platform != "linux", reason="asks /proc about the server's process"),
]

BY_POLLER = ("aborts", "slow", "stuck", "descriptors", "full_house", "leadership", "everything")


@pytest.mark.parametrize("poller", POLLERS)
@pytest.mark.parametrize("name", BY_POLLER)
def test_nothing_is_lost(name: str, poller: str) -> None:
    report = SCENARIOS[name](False, poller=poller)
    assert report.faults == [], str(report)


@pytest.mark.parametrize("name", ["idle", "expecting"])
def test_nothing_is_lost_whatever_the_poller(name: str) -> None:
    report = SCENARIOS[name](False)
    assert report.faults == [], str(report)


class Counting:
    """Counts how many threads are inside it at once, in the call and in the iteration."""

    def __init__(self) -> None:
        self.most = 0
        self.multithread: set[Any] = set()
        self._inside = 0
        self._mutex = threading.Lock()
        self._chance = random.Random(1)

    def _enter(self) -> None:
        with self._mutex:
            self._inside += 1
            self.most = max(self.most, self._inside)
            pause = self._chance.choice([0, 0, 0.0001, 0.001, 0.003])
        if pause:
            sleep(pause)

    def _leave(self) -> None:
        with self._mutex:
            self._inside -= 1

    def __call__(self, environ: Environ, start_response: Any) -> Iterator[bytes]:
        self._enter()
        self.multithread.add(environ["wsgi.multithread"])
        start_response("200 OK", PLAIN)
        self._leave()
        return self._blocks(environ["PATH_INFO"].encode())

    def _blocks(self, path: bytes) -> Iterator[bytes]:
        self._enter()
        try:
            yield path
        finally:
            self._leave()


@pytest.mark.rule("S100")
@pytest.mark.parametrize(("threads", "clients"), [(1, 64), (4, 64)])
def test_an_application_is_never_entered_more_often_than_threads_says(
    serve: Serve, threads: int, clients: int
) -> None:
    application = Counting()
    server = serve(application, threads=threads)
    wrong: list[str] = []
    run_together(clients, lambda number: ask(server, number, wrong))
    assert wrong == []
    assert 1 <= application.most <= threads
    assert application.multithread == {threads > 1}


def ask(server: Server, number: int, wrong: list[str]) -> None:
    """A few requests, some of them in a pipeline."""
    targets = [f"/{number}/{each}" for each in range(6)]
    with Client(("127.0.0.1", server.port)) as client:
        for target in targets[:3]:
            client.send(get(target))
            check(client, target, wrong)
        client.send(b"".join(get(target) for target in targets[3:]))
        for target in targets[3:]:
            check(client, target, wrong)


def check(client: Client, target: str, wrong: list[str]) -> None:
    response = client.response()
    if (response.status, response.content) != (200, target.encode()):
        wrong.append(f"{target}: {response}")


def run_together(count: int, work: Any) -> None:
    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
