"""Clients at full speed: some keep their connection, some connect for each request. Nothing is sent
anew: what is not answered is lost."""

import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from types import TracebackType

from server.wire import Client, Truncated, get, post

KEPT_ALIVE = 4
FRESH = 4

Address = tuple[str, int]


@dataclass(frozen=True)
class Loss:
    """A request that was not answered as it should be."""

    name: str
    time: float  # monotonic
    error: str
    pid: int  # who had answered on this connection before; 0 if nobody had
    is_cut: bool  # the connection had been made, and ended


class Crowd:
    """A context in which clients ask, each as fast as it can. ``losses`` and ``answered`` are to
    be read after :meth:`stop`; :meth:`progress` at any time."""

    def __init__(
        self,
        address: Address,
        kept_alive: int = KEPT_ALIVE,
        fresh: int = FRESH,
        *,
        connect: Callable[[Address], Client] = Client,
        on_first: Callable[[Client, int, float], None] | None = None,
    ) -> None:
        """``on_first``: called with each connection that has got its first answer, who gave it,
        and when it began to connect (monotonic); in any thread."""
        self._address = address
        self._connect = connect
        self._on_first = on_first
        self._ended = threading.Event()
        self._counts = [0] * (kept_alive + fresh)
        self.losses: list[Loss] = []
        self.pids: set[int] = set()  # who has answered
        self.longest = 0.0  # seconds that an answer took
        self._threads = [
            threading.Thread(target=self._work, args=(number, number < kept_alive))
            for number in range(kept_alive + fresh)
        ]

    @property
    def size(self) -> int:
        return len(self._threads)

    @property
    def answered(self) -> int:
        return sum(self._counts)

    def progress(self) -> int:
        """The answers of the client that has got the fewest."""
        return min(self._counts)

    def _work(self, number: int, keeps: bool) -> None:
        client: Client | None = None
        pid = asked = 0
        while not self._ended.is_set():
            asked += 1
            name = f"{number}.{asked}"
            begun = monotonic()
            try:
                is_first = client is None
                if client is None:
                    pid = 0
                    client = self._connect(self._address)
                pid, persists = ask(client, name, content=b"content" if asked % 2 else None)
                if is_first and self._on_first is not None:
                    self._on_first(client, pid, begun)
            except (AssertionError, OSError, EOFError, ValueError) as error:
                cut = isinstance(error, Truncated | ConnectionResetError | BrokenPipeError)
                self.losses.append(Loss(name, monotonic(), repr(error), pid, cut))
                persists = False
            else:
                self._counts[number] += 1
                self.pids.add(pid)
                self.longest = max(self.longest, monotonic() - begun)
            if client is not None and not (keeps and persists):
                client.close()
                client = None
        if client is not None:
            client.close()

    def __enter__(self) -> "Crowd":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Let each client have its present answer, and no more."""
        self._ended.set()
        for thread in self._threads:
            thread.join()


def ask(client: Client, name: str, content: bytes | None = None) -> tuple[int, bool]:
    """One request; who has answered it, and whether the connection may be used again. Raises what
    says that the answer is not a whole and right one."""
    target = f"/?{name}"
    client.send(get(target) if content is None else post(content, target))
    response = client.response()
    expected = name.encode() + b" " + (content or b"")
    if (response.status, response.content) != (200, expected):
        raise AssertionError(f"{name}: {response.status}, {response.content[:60]!r}")
    return int(response.field("X-Pid") or 0), response.persists


def is_refused(address: Address) -> bool:
    """Whether nobody listens there."""
    try:
        socket.create_connection(address, timeout=10).close()
    except ConnectionRefusedError:
        return True
    except ConnectionResetError:
        pass  # it waited to be accepted while the door was closed
    return False
