"""The rows: what is compared with what, and how it is measured.

The first candidate of a row is the one that the ratios are of: its figure by that of each other.
"""

from dataclasses import dataclass, replace
from typing import Final, Literal

from benchmarks.deployed.candidates import (
    FLASK,
    NGINX,
    NGINX_FILES,
    OPENSSL,
    UWSGI_SOCKET,
    WAITRESS_SOCKET,
    Candidate,
    behind_nginx,
    granian,
    gunicorn,
    quaich,
)
from benchmarks.servers.peers import Server
from benchmarks.servers.workloads import BY_NAME, Workload

Kind = Literal["load", "handshakes", "memory", "reload"]

SHOP: Final = "benchmarks.deployed.shop:application"
PLAIN: Final = "benchmarks.servers.applications:hello"

# Files of the rows of files: name → bytes.
FILES: Final = {
    "10k.bin": bytes(range(256)) * 40,
    "1m.bin": bytes(range(256)) * 4096,
}

MEMORY_WORKERS: Final = 4
RELOADED_WORKERS: Final = 2

MINIMAL: Final = BY_NAME["minimal"]


@dataclass(frozen=True)
class Row:
    name: str
    section: str  # a heading of the report; rows of a section are of the same kind
    title: str
    candidates: tuple[Candidate, ...]
    kind: Kind = "load"
    workload: Workload = MINIMAL
    application: str = PLAIN
    is_tls: bool = False
    is_proxied: bool = False  # by nginx, over a Unix socket
    workers: int = 1  # with more than one, the server has several cores

    def needs(self, candidate: Candidate) -> list[Server]:
        """All that has to be installed to measure it."""
        return [
            candidate.server,
            *([NGINX] if self.is_proxied else []),
            *([OPENSSL] if self.is_tls else []),
            *([FLASK] if self.application == SHOP else []),
        ]


def _file(name: str) -> Workload:
    return Workload(name, name, path=f"/static/{name}", answer=FILES[name])


_CERTIFICATE: Final = ("--certfile", "{certificate}", "--keyfile", "{key}")
_GRANIAN_CERTIFICATE: Final = ("--ssl-certificate", "{certificate}", "--ssl-keyfile", "{key}")
_TLS: Final = (
    quaich(*_CERTIFICATE),
    gunicorn(*_CERTIFICATE),
    granian(*_GRANIAN_CERTIFICATE),
)
_TWO: Final = ("--workers", "2")
_TWO_WORKERS: Final = (quaich(*_TWO), granian(*_TWO), gunicorn(*_TWO))
_STATIC: Final = (
    quaich("--static", "/static={files}"),
    NGINX_FILES,
    granian("--static-path-route", "/static", "--static-path-mount", "{files}"),
)
_FOUR: Final = ("--workers", str(MEMORY_WORKERS))

_DISBELIEVING: Final = ("--forwarded-allow-ips", "192.0.2.1")
_FORWARDED: Final = (
    replace(quaich(name="with it"), requests="forwarded"),
    quaich(name="plain"),
    replace(quaich(*_DISBELIEVING, name="fields not believed"), requests="forwarded"),
)


def _setting(name: str, title: str, *options: str) -> Row:
    """A server with a setting, and the plain server."""
    return Row(name, "settings", title, (quaich(*options, name="with it"), quaich(name="plain")))


ROWS: Final = (
    Row(
        "workers-minimal",
        "workers",
        "2 workers, hello, minimal head",
        _TWO_WORKERS,
        workers=2,
    ),
    Row(
        "workers-browser",
        "workers",
        "2 workers, hello, browser's head",
        _TWO_WORKERS,
        workload=BY_NAME["browser"],
        workers=2,
    ),
    Row("tls", "tls", "TLS, connections kept", _TLS, is_tls=True),
    Row(
        "handshakes",
        "handshakes",
        "TLS, a full handshake for each request",
        _TLS,
        kind="handshakes",
        is_tls=True,
    ),
    Row("static-10k", "static", "file of 10 KiB", _STATIC, workload=_file("10k.bin")),
    Row("static-1m", "static", "file of 1 MiB", _STATIC, workload=_file("1m.bin")),
    Row(
        "nginx",
        "nginx",
        "behind nginx, by a Unix socket",
        tuple(
            behind_nginx(candidate)
            for candidate in (quaich(), gunicorn(), UWSGI_SOCKET, WAITRESS_SOCKET)
        ),
        is_proxied=True,
    ),
    Row(
        "memory",
        "memory",
        f"{MEMORY_WORKERS} workers, Flask",
        (quaich(*_FOUR), gunicorn(*_FOUR)),
        kind="memory",
        application=SHOP,
        workers=MEMORY_WORKERS,
    ),
    Row(
        "memory-preload",
        "memory",
        f"{MEMORY_WORKERS} workers, Flask, preload",
        (quaich(*_FOUR, "--preload"), gunicorn(*_FOUR, "--preload")),
        kind="memory",
        application=SHOP,
        workers=MEMORY_WORKERS,
    ),
    Row(
        "reload",
        "reload",
        f"HUP, {RELOADED_WORKERS} workers, Flask, under load",
        _TWO_WORKERS,
        kind="reload",
        application=SHOP,
        workers=RELOADED_WORKERS,
    ),
    _setting("supervised", "--workers 1", "--workers", "1"),
    _setting("admin", "--admin-bind", "--admin-bind", "127.0.0.1:0"),
    _setting("timeout", "--timeout 30", "--timeout", "30"),
    _setting("access-log", "--access-logfile, to a file", "--access-logfile", "access.log"),
    Row("forwarded", "settings", "requests with X-Forwarded-For and -Proto", _FORWARDED),
    _setting("static-beside", "--static, asked for something else", "--static", "/static={files}"),
)

SECTIONS: Final = tuple(dict.fromkeys(row.section for row in ROWS))


def choose(words: list[str]) -> list[Row]:
    """The rows that ``words`` name, or whose section they name; all rows if there are no words."""
    return [row for row in ROWS if not words or row.name in words or row.section in words]
