"""The table of settings: a dataclass for each group, a field for each setting.

What a field says of itself is all there is: keyword arguments, flags, variables and the page
``docs/reference/settings.md`` are made from it. Each part of the server is handed the record of
its group and no other.

A record made directly, ``Limits(limit_request_line=100)``, holds what it is given; values are
checked on their way in (:mod:`quaich.settings.sources`).
"""

# ruff: noqa: RUF009 - setting() makes a field, as dataclasses.field() does

from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from quaich.settings.declare import Setting, read, setting
from quaich.settings.kinds import (
    FILE,
    FILE_OR_NONE,
    TEXT,
    TRUTH,
    choice,
    duration,
    mode_or_none,
    size,
    whole_number,
)
from quaich.settings.operations import Admin, Deadlines, Files, Process, Proxies, Tls, Workers
from quaich.settings.places import (
    ADDRESSES,
)

Poller = Literal["auto", "epoll", "selectors"]
HeaderMap = Literal["drop", "refuse", "dangerous"]
LogLevel = Literal["debug", "info", "warning", "error", "critical"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Listen:
    """Where connections come from, and how many there may be."""

    bind: tuple[str, ...] = setting(
        ("127.0.0.1:8000",),
        ADDRESSES,
        "Where to listen: `HOST`, `HOST:PORT`, `:PORT` (all IPv4 interfaces), `[IPV6]:PORT`, "
        "`unix:PATH`, `unix:@NAME` or `fd://N`; several with commas, or given one by one. Port 0 "
        "is any free one, `unix:@NAME` an abstract socket of Linux, `fd://N` a listening socket "
        "that the process was started with. Sockets that systemd has opened (`LISTEN_FDS`) are "
        "used instead of all that is given here. On the command line `--host` and `--port`, "
        "`--uds PATH` and `--fd N` say the same in parts.",
        "gunicorn, uvicorn and granian have port 8000 of this host as well; waitress has 8080. "
        "The spellings are gunicorn's.",
        short="-b",
    )
    backlog: int = setting(
        2048,
        whole_number(1),
        "Most connections that wait to be accepted. The system may have a lower limit (Linux: "
        "`net.core.somaxconn`).",
        "gunicorn and uvicorn 2048, granian and waitress 1024, Apache 511.",
    )
    uds_permissions: int | None = setting(
        None,
        mode_or_none("660"),
        "The mode of Unix sockets that are made; by default what the umask leaves of 777. That is "
        "mostly 755, to which nobody but the owner can connect.",
        "granian has the same; waitress 600.",
        aliases=("--unix-socket-perms",),
    )
    reuse_port: bool = setting(
        False,
        TRUTH,
        "Whether each worker has TCP sockets of its own (`SO_REUSEPORT`). Then connections "
        "that wait for a worker that ends are lost, unless Linux migrates them "
        "(`net.ipv4.tcp_migrate_req`).",
        "gunicorn has the same; granian always does so.",
    )
    worker_connections: int = setting(
        10_000,
        whole_number(1),
        "Most connections at once, per process. For one more, the connection that has been idle "
        "the longest is closed; if none is idle, the new one waits in the backlog.",
        "gunicorn 1000 and waitress 100, which stop accepting; uvicorn has no limit unless told. "
        "An idle connection costs little.",
        aliases=("--connection-limit", "--limit-concurrency"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Concurrency:
    """How the application is called."""

    threads: int = setting(
        32,
        whole_number(1),
        "Most calls of the application at once. With 1 it is never entered twice at once, and "
        "`wsgi.multithread` is false.",
        "gunicorn 1, waitress 4. Threads are started when there is work for them; those that are "
        "not needed cost nothing.",
        aliases=("--blocking-threads",),
    )
    poller: Poller = setting(
        "auto",
        choice(get_args(Poller)),
        "What waits for connections: epoll, the selectors of the standard library, or the better "
        "one that there is.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How large a request may be. What is larger is answered with an error."""

    limit_request_line: int = setting(
        8190,
        size(1),
        "Longest request line. A longer one is answered with 414.",
        "Apache and mod_wsgi 8190, gunicorn 4094; RFC 9112, section 3, wants 8000 at least.",
    )
    limit_request_fields: int = setting(
        100,
        whole_number(1),
        "Most fields in the head of a request. More are answered with 431.",
        "Apache, gunicorn and granian have 100 as well.",
    )
    limit_request_field_size: int = setting(
        8190,
        size(1),
        "Longest line of a field in the head of a request. A longer one is answered with 431.",
        "Apache and gunicorn have 8190 as well.",
        aliases=("--limit-request-field_size",),
    )
    limit_request_head: int = setting(
        65_536,
        size(1),
        "Longest head of a request: its line and all its fields. A longer one is answered with "
        "431.",
        "waitress 256 KiB, granian 408 KiB, node.js 16 KiB, Tomcat 8 KiB.",
    )
    limit_chunk_extensions: int = setting(
        16_384,
        size(1),
        "Most bytes of chunk extensions in the content of a request. They mean nothing to an "
        "application, and without a limit they would be a way to send for ever.",
        "hyper and Go have 16 KiB as well.",
    )
    limit_request_trailers: int = setting(
        100, whole_number(1), "Most fields in the trailer section of a request."
    )
    limit_request_trailer_size: int = setting(
        16_384, size(1), "Longest trailer section of a request."
    )
    limit_request_body: int = setting(
        2**30,
        size(0),
        "Longest content of a request; 0 is no limit. Longer content is answered with 413.",
        "waitress and Apache 1 GiB, nginx 1 MiB, mod_wsgi-express 10 MiB, gunicorn none.",
        aliases=("--max-request-body-size",),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Bodies:
    """Where content waits: that of a request for the application, that of a response for the
    client."""

    body_buffer: int = setting(
        2**20,
        size(0),
        "Content of a request is kept in memory up to this size; what is longer goes to a "
        "temporary file.",
        "waitress 512 KiB, nginx 16 KiB.",
    )
    stream_body: bool = setting(
        False,
        TRUTH,
        "Whether the application is called before the content of its request is there, and reads "
        "it as it comes. A slow client then holds a thread.",
        "gunicorn and granian do so; waitress and nginx do not.",
    )
    response_buffer: int = setting(
        2**20,
        size(0),
        "How much of a response may wait for a slow client until the application is paused.",
        "waitress 16 MiB.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long the server waits."""

    header_timeout: float = setting(
        30.0,
        duration(),
        "Time from the first byte of a request until its head is complete.",
        "granian 30 s (given in milliseconds), Apache 20 s, nginx 60 s.",
        aliases=("--read-timeout",),
    )
    body_timeout: float = setting(
        60.0,
        duration(),
        "Time without a byte of a request's content.",
        "nginx 60 s, Apache 20 s.",
    )
    write_timeout: float = setting(
        60.0,
        duration(),
        "Time in which a client takes no byte of its response.",
        "nginx 60 s.",
    )
    keep_alive: float = setting(
        75.0,
        duration(zero=True),
        "Time that a connection without a request is kept open. With 0, each is closed after its "
        "response.",
        "nginx 75 s, waitress 120 s, uvicorn and Apache 5 s, gunicorn 2 s. It should be more than "
        "the 60 s for which proxies keep an idle connection (AWS's load balancer, nginx's "
        "upstream `keepalive_timeout`): the side that sends requests has to be the one that "
        "closes, or a request meets a close and is lost.",
        aliases=("--timeout-keep-alive",),
    )
    graceful_timeout: float = setting(
        30.0,
        duration(zero=True),
        "Time that requests under way have to end when the server stops. With 0 they are cut off "
        "at once.",
        "gunicorn and Kubernetes 30 s. Docker kills 10 s after its SIGTERM unless told otherwise.",
        aliases=("--timeout-graceful-shutdown", "--shutdown-timeout", "--workers-kill-timeout"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Environ:
    """What applications are told about a request, and clients about the server."""

    header_map: HeaderMap = setting(
        "drop",
        choice(get_args(HeaderMap)),
        "What is done with a field of a request whose name has an underscore: `drop` it, `refuse` "
        "the request with 400, or hand it on, which is `dangerous`. In the environ such a field "
        "is not told from one with a hyphen: `X_Real_IP` passes for `X-Real-IP`. Those that "
        "proxies write, such as `X_Forwarded_For`, are dropped in any case.",
        "the names are gunicorn's, which drops such fields as well, as waitress and nginx do.",
    )
    server_header: bool = setting(
        True,
        TRUTH,
        "Whether responses have a Server field, unless the application sets one.",
        "uvicorn has the flag; gunicorn, granian and waitress send the field.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Logs:
    """What is written down, and where."""

    access_logfile: str | None = setting(
        None,
        FILE_OR_NONE,
        "Where a line for each request is written: a file, or `-` for stdout.",
        "gunicorn and granian write none unless told, uvicorn does.",
        switch=("--access-log", "-", None),
    )
    access_logformat: str = setting(
        "combined",
        TEXT,
        "What such a line has: `combined`, `common`, `json`, or a text with gunicorn's atoms, such "
        "as `%(h)s %(r)s %(s)s`.",
        "gunicorn writes what is `combined` here.",
    )
    error_logfile: str = setting(
        "-",
        FILE,
        "Where errors and what the server does are written: a file, or `-` for stderr.",
        "gunicorn has the same.",
        aliases=("--log-file",),
    )
    log_level: LogLevel = setting(
        "info",
        choice(get_args(LogLevel)),
        "The least that is worth a line in the error log.",
        "gunicorn, uvicorn and granian have `info` as well.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All of it, by group. Who serves takes it apart; nobody else is handed it."""

    listen: Listen = Listen()
    workers: Workers = Workers()
    concurrency: Concurrency = Concurrency()
    limits: Limits = Limits()
    bodies: Bodies = Bodies()
    timeouts: Timeouts = Timeouts()
    deadlines: Deadlines = Deadlines()
    environ: Environ = Environ()
    proxies: Proxies = Proxies()
    tls: Tls = Tls()
    files: Files = Files()
    logs: Logs = Logs()
    admin: Admin = Admin()
    process: Process = Process()


# The names of the fields of Settings, and the classes that they hold.
GROUPS: Final[dict[str, type[Any]]] = {
    name: type(getattr(Settings(), name)) for name in Settings.__slots__
}

TABLE: Final[dict[str, Setting]] = {
    each.name: each for group in GROUPS.values() for each in read(group)
}
