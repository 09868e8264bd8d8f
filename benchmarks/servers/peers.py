"""The servers, and the command that starts each with one worker process.

Where a server has several variants, all are measured, and in each row the one that does best
stands for it (:func:`benchmarks.servers.comparison.best_variant`). A default is changed where it
would make a server refuse or close the connections that a workload consists of, not otherwise.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

THREADS: Final = 32

APPLICATIONS: Final = "benchmarks.servers.applications"

# The workloads in which no request sleeps.
_AWAKE: Final = (
    *("minimal", "browser", "visitors", "post", "stream", "block", "file", "cpu"),
    *("thousand", "pipelining"),
)


@dataclass(frozen=True)
class Variant:
    name: str
    # With {python}, {bin}, {environment}, {port} and {application} to fill in.
    command: tuple[str, ...]
    only: tuple[str, ...] = ()  # workloads; empty: all

    def arguments(self, python: Path, port: int, application: str) -> list[str]:
        places = {
            "python": str(python),
            "bin": str(python.parent),
            "environment": str(python.parent.parent),
            "port": str(port),
            "application": f"{APPLICATIONS}:{application}",
        }
        return [word.format_map(places) for word in self.command]


@dataclass(frozen=True)
class Server:
    name: str
    package: str  # on the package index; empty: this checkout
    variants: tuple[Variant, ...]
    needs: tuple[str, ...] = ()  # of the system, to build it: see environment.py
    also: tuple[str, ...] = ()  # requirements that the package does not name
    note: str = ""


QUAICH: Final = Server(
    "quaich",
    "",
    (
        Variant(
            f"{THREADS} threads",
            (
                *("{python}", "-m", "quaich", "serve", "--bind", "127.0.0.1:{port}"),
                *("--threads", str(THREADS), "{application}"),
            ),
        ),
    ),
    also=("click>=8.1",),
)

_GRANIAN: Final = (
    *("{bin}/granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", "{port}"),
    *("--workers", "1"),
)

PEERS: Final = (
    Server(
        "granian",
        "granian",
        (
            Variant("default", (*_GRANIAN, "{application}")),
            Variant(
                f"{THREADS} threads",
                (*_GRANIAN, "--blocking-threads", str(THREADS), "{application}"),
            ),
            Variant(
                "1 thread", (*_GRANIAN, "--blocking-threads", "1", "{application}"), only=_AWAKE
            ),
        ),
    ),
    Server(
        "bjoern",
        "bjoern",
        (
            Variant(
                "1 thread",
                (
                    "{python}",
                    "-m",
                    "benchmarks.servers.launch",
                    "bjoern",
                    "{port}",
                    "{application}",
                ),
            ),
        ),
        needs=("gcc", "libev"),
        note="calls the application on its only thread",
    ),
    Server(
        "fastwsgi",
        "fastwsgi",
        (
            Variant(
                "1 thread",
                (
                    *("{python}", "-m", "benchmarks.servers.launch"),
                    *("fastwsgi", "{port}", "{application}"),
                ),
            ),
            Variant(
                "1 thread, tcp_nodelay",
                (
                    *("{python}", "-m", "benchmarks.servers.launch"),
                    *("fastwsgi-nodelay", "{port}", "{application}"),
                ),
                only=("pipelining",),  # which waits for acknowledgements without
            ),
        ),
        also=("setuptools<81",),  # for pkg_resources
        note="calls the application on its only thread",
    ),
    Server(
        "uwsgi",
        "uwsgi",
        (
            Variant(
                f"http11-socket, {THREADS} threads",
                (
                    *("{bin}/uwsgi", "--http11-socket", "127.0.0.1:{port}"),
                    *("--virtualenv", "{environment}", "--module", "{application}"),
                    *("--threads", str(THREADS), "--listen", "1024"),
                    *("--disable-logging", "--need-app"),
                ),
            ),
            Variant(
                f"http-socket, {THREADS} threads",
                (
                    *("{bin}/uwsgi", "--http-socket", "127.0.0.1:{port}"),
                    *("--virtualenv", "{environment}", "--module", "{application}"),
                    *("--threads", str(THREADS), "--listen", "1024"),
                    *("--disable-logging", "--need-app"),
                ),
                only=("stream",),  # http11-socket does not frame it
            ),
        ),
        needs=("gcc",),
        note="a thread keeps its connection: no more connections than threads are served at once",
    ),
    Server(
        "gunicorn",
        "gunicorn",
        (
            Variant(
                f"gthread, {THREADS} threads",
                (
                    *("{bin}/gunicorn", "--bind", "127.0.0.1:{port}", "--workers", "1"),
                    *("--worker-class", "gthread", "--threads", str(THREADS)),
                    *("--worker-connections", "2000", "--no-control-socket", "{application}"),
                ),
            ),
        ),
    ),
    Server(
        "waitress",
        "waitress",
        (
            Variant(
                f"{THREADS} threads",
                (
                    *("{bin}/waitress-serve", "--listen", "127.0.0.1:{port}"),
                    *("--threads", str(THREADS), "--connection-limit", "2000"),
                    *("--asyncore-use-poll", "{application}"),
                ),
            ),
        ),
    ),
    Server(
        "cheroot",
        "cheroot",
        (
            Variant(
                f"{THREADS} threads",
                (
                    *("{python}", "-m", "benchmarks.servers.launch"),
                    *("cheroot", "{port}", "{application}"),
                ),
            ),
        ),
    ),
)

BY_NAME: Final = {server.name: server for server in (QUAICH, *PEERS)}
