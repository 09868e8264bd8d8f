"""What a fork leaves behind or shares is named."""

import os
import socket
import threading

import pytest

from quaich.server.supervisor.preloading import alive_threads, open_connections

pytestmark = pytest.mark.live


def test_threads_by_their_names() -> None:
    before, ended = alive_threads(), threading.Event()
    thread = threading.Thread(target=ended.wait, name="pool-1")
    thread.start()
    try:
        assert [name for name in alive_threads() if name not in before] == ["pool-1"]
    finally:
        ended.set()
        thread.join()


def test_a_timer_that_was_cancelled_is_none() -> None:
    before = alive_threads()
    timer = threading.Timer(3600, print)
    timer.start()
    timer.cancel()
    assert alive_threads() == before


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs /proc")  # noqa: PTH112
def test_connections_by_whom_they_are_to() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as one:
            found = open_connections({listening.fileno()})
            assert f"one to 127.0.0.1:{port}" in found
            assert f"one at 127.0.0.1:{port}" not in found
            assert f"one at 127.0.0.1:{port}" in open_connections({one.fileno()})
