"""Clients at full speed, as a program of its own: ``python -m deploy.load HOST PORT CLIENTS``.

Half of them keep their connections, half open one for each request; each request has its own id,
and every answer is looked at. Goes on until its standard input ends, then prints what became of
the requests, as JSON: ``{"right": …, "lost": […]}``.
"""

import http.client
import json
import random
import sys
import threading
import zlib
from typing import Any

TIMEOUT = 10.0  # seconds


def ask(connection: http.client.HTTPConnection, name: str, chance: random.Random) -> None:
    """One exchange; AssertionError or OSError if it is not right."""
    content = b"x" * chance.choice([0, 0, 100, 50_000])
    method = "POST" if content else "GET"
    connection.request(method, f"/echo?id={name}", body=content or None)
    response = connection.getresponse()
    answer = response.read()
    expected = f"{method} {name} {len(content)} {zlib.crc32(content)}".encode()
    assert (response.status, response.headers["X-Id"], answer) == (200, name, expected), (
        f"{response.status} {answer[:60]!r}"
    )


class Clients:
    """Threads that ask."""

    def __init__(self, host: str, port: int, count: int) -> None:
        self._host, self._port = host, port
        self._ended = threading.Event()
        self._mutex = threading.Lock()
        self.right = 0
        self.lost: list[str] = []
        self._threads = [
            threading.Thread(target=self._run, args=(number,), daemon=True)
            for number in range(count)
        ]

    def _run(self, number: int) -> None:
        chance = random.Random(number)
        connection = http.client.HTTPConnection(self._host, self._port, timeout=TIMEOUT)
        turn = 0
        while not self._ended.is_set():
            turn += 1
            name = f"c{number}.{turn}"
            try:
                ask(connection, name, chance)
            except (OSError, http.client.HTTPException, AssertionError) as error:
                with self._mutex:
                    self.lost.append(f"{name}: {type(error).__name__}: {error}")
                connection.close()
            else:
                with self._mutex:
                    self.right += 1
            if number % 2:
                connection.close()
        connection.close()

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> dict[str, Any]:
        """End them; what became of their requests."""
        self._ended.set()
        for thread in self._threads:
            thread.join(2 * TIMEOUT)
        return {"right": self.right, "lost": self.lost}


if __name__ == "__main__":
    clients = Clients(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
    clients.start()
    sys.stdin.read()
    print(json.dumps(clients.stop()))
