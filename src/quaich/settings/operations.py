"""The groups of settings that are about running a server: processes, deadlines, TLS, proxies,
what an operator sees, files. The table itself is in :mod:`quaich.settings.groups`."""

# ruff: noqa: RUF009 - setting() makes a field, as dataclasses.field() does

from dataclasses import dataclass, replace
from typing import Final, Literal, get_args

from quaich.settings.declare import setting
from quaich.settings.kinds import (
    APP_OR_NONE,
    DIRECTORY_OR_NONE,
    FILE_OR_NONE,
    NETWORKS,
    PAIRS,
    TEXT_OR_EMPTY,
    TEXT_OR_NONE,
    TRUTH,
    Auto,
    choice,
    duration,
    memory,
    mode_or_none,
    texts,
    whole_number,
    whole_number_or_auto,
)
from quaich.settings.places import (
    ADDRESS_OR_NONE,
    STATSD_OR_NONE,
    TARGET_OR_NONE,
    URL_PATH_OR_NONE,
)

CertReqs = Literal["none", "optional", "required"]
TlsVersion = Literal["1.2", "1.3"]
ProxyProtocol = Literal["off", "v1", "v2", "auto"]
Symlinks = Literal["inside", "follow", "refuse"]

_FILE: Final = replace(FILE_OR_NONE, takes="the name of a file")

FORWARDED_HEADERS: Final = (
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-prefix",
    # Of these the server itself makes nothing.
    "x-forwarded-access-token",
    "x-forwarded-email",
    "x-forwarded-groups",
    "x-forwarded-preferred-username",
    "x-forwarded-protocol",
    "x-forwarded-scheme",
    "x-forwarded-server",
    "x-forwarded-ssl",
    "x-forwarded-user",
)


def _check_forwarded_header(text: str) -> None:
    if text.lower() not in FORWARDED_HEADERS:
        raise ValueError(f"{text!r} is none of {', '.join(FORWARDED_HEADERS)}")


def _check_static(text: str) -> None:
    url, equals, directory = text.partition("=")
    if not url.startswith("/") or not equals or not directory:
        raise ValueError(f"{text!r} is not /URL=DIRECTORY")


@dataclass(frozen=True, slots=True, kw_only=True)
class Workers:
    """The processes, and when one is replaced. A replacement is ready before the old one stops,
    so that no request is lost."""

    workers: int | Auto = setting(
        0,
        whole_number_or_auto(0),
        "Worker processes, which a supervisor looks after; 0 is none, `auto` as many as the "
        "processors that this process may use. With 0 the application runs in the one process "
        "there is.",
        "gunicorn and uvicorn 1; they heed the same variable.",
        short="-w",
        aliases=("--processes",),
        variables=("WEB_CONCURRENCY",),
    )
    preload: bool = setting(
        False,
        TRUTH,
        "Whether the application is loaded once, before the workers are made, and its memory "
        "shared by them.",
        "gunicorn has the same.",
        aliases=("--preload-app",),
    )
    ready_path: str | None = setting(
        None,
        TARGET_OR_NONE,
        "A path that a new worker asks its own application for before it takes over; an answer of "
        "400 or more is a failure.",
    )
    max_requests: int = setting(
        0,
        whole_number(0),
        "Requests after which a worker is replaced; 0 is never.",
        "gunicorn has the same.",
        aliases=("--limit-max-requests", "--maximum-requests"),
    )
    max_requests_jitter: int = setting(
        0,
        whole_number(0),
        "At most so many requests more, by chance, so that not all workers are replaced at once.",
        "gunicorn has the same.",
        aliases=("--limit-max-requests-jitter",),
    )
    max_worker_memory: int = setting(
        0,
        memory(),
        "Resident memory above which a worker is replaced; 0 is no limit.",
        "granian `--workers-max-rss`, uWSGI `reload-on-rss`.",
        aliases=("--workers-max-rss", "--reload-on-rss"),
    )
    max_worker_lifetime: float = setting(
        0.0,
        duration(zero=True),
        "Time after which a worker is replaced, up to a tenth earlier; 0 is never.",
        "granian `--workers-lifetime`, mod_wsgi `--restart-interval`.",
        aliases=("--workers-lifetime", "--restart-interval"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadlines:
    """How long the application may take."""

    timeout: float = setting(
        0.0,
        duration(zero=True),
        "Longest time for which nothing comes from the application for a request; 0 is no limit. "
        "Then the client gets 504, or a response that has begun is broken off; the thread is "
        "interrupted, and where it is stuck is logged.",
        "gunicorn 30 s, for a worker as a whole; mod_wsgi's `interrupt-timeout` is the same.",
        short="-t",
        aliases=("--request-timeout", "--interrupt-timeout", "--harakiri"),
    )
    slow_request_threshold: float = setting(
        0.0,
        duration(zero=True),
        "Time after which a request is logged as slow, with where it is; 0 is never.",
        "mod_wsgi and uWSGI have the like.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """HTTPS. There is none unless `certfile` is given."""

    certfile: str | None = setting(
        None,
        _FILE,
        "The certificate, with its chain, in PEM; or `adhoc` for one that is made at the start, "
        "for development only. A renewed file is noticed.",
        "gunicorn, uvicorn and granian have the same; `adhoc` is Flask's word.",
        aliases=("--ssl-certfile", "--ssl-certificate", "--cert"),
    )
    keyfile: str | None = setting(
        None,
        _FILE,
        "Its private key in PEM, if that is not in the file of the certificate.",
        aliases=("--ssl-keyfile", "--key"),
    )
    keyfile_password: str | None = setting(
        None,
        TEXT_OR_NONE,
        "The password of the private key. As a variable it is not seen in the list of processes.",
        aliases=("--ssl-keyfile-password",),
        is_secret=True,
    )
    sni_dir: str | None = setting(
        None,
        DIRECTORY_OR_NONE,
        "A directory of more certificates, from which that of the host asked for is taken: "
        "`HOST.pem`, or `HOST.crt` with `HOST.key`; `_.example.org.pem` is for all hosts of that "
        "domain.",
        "uWSGI has `sni-dir`.",
    )
    ca_certs: str | None = setting(
        None,
        _FILE,
        "The authorities in PEM by which certificates of clients are checked: a file, or a "
        "directory as `openssl rehash` makes it.",
        "gunicorn has the same.",
        aliases=("--ssl-ca-certs", "--ssl-ca"),
    )
    cert_reqs: CertReqs = setting(
        "none",
        choice(get_args(CertReqs)),
        "Whether a client has to show a certificate.",
        "gunicorn has the numbers of Python's module ssl.",
        aliases=("--ssl-cert-reqs",),
    )
    ciphers: str | None = setting(
        None,
        TEXT_OR_NONE,
        "The ciphers of TLS 1.2, as OpenSSL writes them; by default those with forward secrecy and "
        "authenticated encryption, as Mozilla recommends for general use.",
        aliases=("--ssl-ciphers",),
    )
    tls_min_version: TlsVersion = setting(
        "1.2",
        choice(get_args(TlsVersion)),
        "The oldest version of TLS that is spoken.",
        "granian 1.3.",
        aliases=("--ssl-protocol-min",),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxies:
    """Whom to believe what it says of the client."""

    forwarded_allow_ips: tuple[str, ...] = setting(
        ("127.0.0.1", "::1"),
        NETWORKS,
        "Proxies whose fields `Forwarded` and `X-Forwarded-…` are believed. From anybody else "
        "these fields are taken out. Peers on Unix sockets are believed. `*` is for where nobody "
        "but the proxy can connect.",
        "gunicorn and uvicorn have the same, and heed the same variable.",
        aliases=("--trusted-proxy",),
        variables=("FORWARDED_ALLOW_IPS",),
    )
    forwarded_headers: tuple[str, ...] = setting(
        ("x-forwarded-for", "x-forwarded-proto"),
        texts("FIELDS", f"some of {', '.join(FORWARDED_HEADERS)}", _check_forwarded_header),
        "Which fields are believed: those that the proxy sets, and no others, or a client could "
        "set the rest. The others are taken out, whoever has sent them.",
        "waitress `--trusted-proxy-headers`; uvicorn believes the same two.",
        aliases=("--trusted-proxy-headers",),
    )
    forwarded_count: int = setting(
        1,
        whole_number(1),
        "How many proxies of one's own are in a row: so many entries from the right are believed, "
        "and those before them are taken out.",
        "waitress `--trusted-proxy-count`.",
        aliases=("--trusted-proxy-count",),
    )
    proxy_protocol: ProxyProtocol = setting(
        "off",
        choice(get_args(ProxyProtocol)),
        "Whether connections begin with a header of the PROXY protocol, and of which version.",
        "gunicorn has the same.",
    )
    proxy_allow_from: tuple[str, ...] = setting(
        ("127.0.0.1", "::1"),
        NETWORKS,
        "Proxies that may send such a header; from others connections are refused.",
        "gunicorn has the same.",
        aliases=("--proxy-allow-ips",),
    )
    root_path: str = setting(
        "",
        TEXT_OR_EMPTY,
        "The path under which the application is mounted, for `SCRIPT_NAME`. It is taken off the "
        "paths that begin with it.",
        "uvicorn and hypercorn have the same.",
        aliases=("--url-prefix", "--url-path-prefix", "--mount-point"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Admin:
    """What an operator can see. All of it is off unless it is asked for."""

    admin_bind: str | None = setting(
        None,
        ADDRESS_OR_NONE,
        "Where `/healthz`, `/readyz`, `/status` and `/metrics` are answered, by the server itself: "
        "an address as for `bind`. Whoever can reach it can read there which paths are asked for, "
        "and by whom.",
        "granian has metrics on port 9090.",
    )
    health_path: str | None = setting(
        None,
        URL_PATH_OR_NONE,
        "A path on the main addresses that the server answers itself, also where all threads are "
        "busy: 200, or 503 while requests wait for a thread, or the process is about to end. Such "
        "a request is neither logged nor counted.",
    )
    statsd_host: str | None = setting(
        None,
        STATSD_OR_NONE,
        "A statsd server to which the figures are sent, four times a second, by UDP or a Unix "
        "datagram socket. The port is 8125 unless one is given. The names are gunicorn's.",
        "gunicorn has the same.",
    )
    statsd_prefix: str = setting(
        "",
        TEXT_OR_EMPTY,
        "What the names of these figures begin with; a dot follows.",
        "gunicorn has the same.",
    )
    dogstatsd_tags: tuple[str, ...] = setting(
        (),
        texts("TAGS", "tags such as `env:prod`"),
        "Tags for DogStatsD, which are added to each figure.",
        "gunicorn has the same.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """Files that the server sends itself."""

    static: tuple[str, ...] = setting(
        (),
        texts("/URL=DIR", "a path and a directory: `/static=public`", _check_static),
        "Paths under which the files of a directory are sent without the application. What is no "
        "file there is left to the application.",
        "uWSGI `--static-map`, granian `--static-path-route` and `--static-path-mount`.",
        aliases=("--static-map",),
    )
    static_expires: float = setting(
        0.0,
        duration(zero=True),
        "How long clients may use a file without asking again (`Cache-Control: max-age`); with 0 "
        "they ask each time whether it has changed.",
        "granian 1 day.",
        aliases=("--static-path-expires",),
    )
    static_symlinks: Symlinks = setting(
        "inside",
        choice(get_args(Symlinks)),
        "Symbolic links are followed if they stay `inside` the directory, anywhere (`follow`), or "
        "not at all (`refuse`).",
        "nginx `disable_symlinks`; uWSGI and granian follow.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """What the process is to the system."""

    app: str | None = setting(
        None,
        APP_OR_NONE,
        "The application, for a file of settings. On the command line it stands by itself: "
        "`quaich shop:app`.",
        "gunicorn `wsgi_app`.",
    )
    chdir: str | None = setting(
        None,
        DIRECTORY_OR_NONE,
        "The directory to change to before anything is opened or loaded. Other relative names go "
        "from there, but those of `env_file`.",
        "gunicorn has the same.",
        aliases=("--working-dir",),
    )
    pythonpath: tuple[str, ...] = setting(
        (),
        texts("DIRS", "directories"),
        "Directories to import from, before the current one.",
        "gunicorn has the same.",
        aliases=("--app-dir",),
    )
    env: tuple[str, ...] = setting(
        (),
        PAIRS,
        "Variables for the environment of the application, given one by one. In a file of settings "
        'they may be a table, `env = { DEBUG = "1" }`; in a variable there is one to a line.',
        "gunicorn has the same.",
        short="-e",
        aliases=("--raw-env",),
        is_secret=True,
    )
    env_file: tuple[str, ...] = setting(
        (),
        texts("FILES", "names of files"),
        "Files of such variables, a line `NAME=VALUE` each. A variable that is set already is left "
        "as it is; of several files a later one counts.",
        "uvicorn `--env-file`, granian `--env-files`.",
        aliases=("--env-files",),
    )
    user: str | None = setting(
        None,
        TEXT_OR_NONE,
        "The user, by name or number, that the application runs as. The sockets are opened before; "
        "only root can start it so.",
        "gunicorn has the same.",
        short="-u",
        aliases=("--uid",),
    )
    group: str | None = setting(
        None,
        TEXT_OR_NONE,
        "The group, by name or number, that the application runs as; by default that of `user`.",
        "gunicorn has the same.",
        short="-g",
        aliases=("--gid",),
    )
    umask: int | None = setting(
        None,
        mode_or_none("027"),
        "The bits that new files do not get.",
        "gunicorn has the same.",
        short="-m",
    )
    pidfile: str | None = setting(
        None,
        _FILE,
        "Where the number of the main process is written. If another process that is alive has its "
        "number there, that is an error.",
        "gunicorn has the same.",
        short="-p",
        aliases=("--pid", "--pid-file"),
    )
    name: str | None = setting(
        None,
        TEXT_OR_NONE,
        "What the processes are called in lists of them; it needs the package setproctitle (extra "
        "`title`).",
        "gunicorn has the same.",
        short="-n",
        aliases=("--proc-name", "--process-name"),
    )
