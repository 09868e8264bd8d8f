"""Starts a server that has no command of its own, or none for what has to be set.

python -m benchmarks.servers.launch NAME PORT MODULE:APPLICATION
"""

import importlib
import sys
from collections.abc import Callable
from typing import Any

from benchmarks.servers.peers import THREADS

HOST = "127.0.0.1"


def bjoern(application: Any, port: int) -> None:
    importlib.import_module("bjoern").run(application, HOST, port)


def fastwsgi(application: Any, port: int) -> None:
    importlib.import_module("fastwsgi").run(application, HOST, port)


def fastwsgi_nodelay(application: Any, port: int) -> None:
    module = importlib.import_module("fastwsgi")
    module.server.tcp_nodelay = 1
    module.run(application, HOST, port)


def cheroot(application: Any, port: int) -> None:
    server = importlib.import_module("cheroot.wsgi").Server(
        (HOST, port), application, numthreads=THREADS, max=THREADS, request_queue_size=1024
    )
    server.keep_alive_conn_limit = 2000  # by default all connections but ten are closed
    server.start()


LAUNCHERS: dict[str, Callable[[Any, int], None]] = {
    "bjoern": bjoern,
    "fastwsgi": fastwsgi,
    "fastwsgi-nodelay": fastwsgi_nodelay,
    "cheroot": cheroot,
}


def main() -> None:
    name, port, place = sys.argv[1:]
    module, _, attribute = place.partition(":")
    LAUNCHERS[name](getattr(importlib.import_module(module), attribute), int(port))


if __name__ == "__main__":
    main()
