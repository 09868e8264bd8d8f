"""Options of other servers: what is so here, for those who come with them in their fingers.

The names are those of uvicorn, granian, waitress-serve, uWSGI and ``flask run``; gunicorn's are in
:mod:`quaich.cli.gunicorn_settings`. What is an option here, be it as an alias, needs no note.
"""

from typing import Final

from quaich.cli.gunicorn_settings import SETTINGS, Other

_RELOAD: Final = "not yet; after a change start again, or send SIGHUP if there are --workers"
_CONFIG: Final = (
    "settings are in quaich.toml, or in what --config names; quaich migrate understands gunicorn's"
)
_ATOMS: Final = "it is called --access-logformat here, and takes gunicorn's atoms"
_PROXY: Final = "--forwarded-allow-ips says whose fields are believed, --forwarded-headers which"
_FACTORY: Final = (
    "not needed; a function that makes the application is written as a call: MODULE:NAME()"
)
_WSGI: Final = "not needed; WSGI is the one interface there is"
_HEAD: Final = "it is called --limit-request-head here"
_BIND: Final = "it is called --bind here"
_APP: Final = "not needed; APP stands by itself"
_ALWAYS: Final = "not needed; that is always so here"
_QUIET: Final = "not needed; there is no access log unless --access-log asks for it"
_STATIC: Final = "it is called --static here, and takes /URL=DIRECTORY"
_KINDS: Final = "there is one kind of worker, with threads, whose number is --threads"
_FOREGROUND: Final = "not there; quaich stays in the foreground, for systemd or a container"
_CHEAPER: Final = "not yet; the number of workers is fixed, and SIGTTIN and SIGTTOU change it"
_HTTP2: Final = "HTTP/1.1 is what there is; a proxy in front can speak HTTP/2"
_METRICS: Final = "it is called --admin-bind here, with /metrics and more"

NOTES: Final = {
    ("--runtime-mode", "--loop", "--task-impl"): _KINDS,
    ("--backpressure",): "it is called --worker-connections here",
    ("--runtime-threads", "--with-threads", "--without-threads"): (
        "there is none; --threads bounds the calls of APP at once"
    ),
    ("--channel-timeout",): "it is called --keep-alive here",
    ("--http1-header-read-timeout",): "it is called --header-timeout here, and is in seconds",
    ("--http1-keep-alive", "--no-http1-keep-alive"): (
        "it is called --keep-alive here, and takes a duration; 0 is none"
    ),
    ("--max-request-header-size", "--h11-max-incomplete-event-size"): _HEAD,
    ("--http1-buffer-size",): _HEAD,
    ("--inbuf-overflow",): "it is called --body-buffer here",
    ("--outbuf-high-watermark",): "it is called --response-buffer here",
    ("--ident",): "there is none; --no-server-header leaves the field Server out",
    ("--no-date-header",): "there is none; HTTP wants the field Date",
    ("--reload-dir", "--reload-paths", "--reload-include", "--reload-exclude"): _RELOAD,
    ("--py-autoreload", "--touch-reload", "--debug"): _RELOAD,
    ("--ini", "--yaml", "--json", "--xml"): _CONFIG,
    ("--listen", "--http", "--http-socket", "--http11-socket"): _BIND,
    ("--https", "--https-socket"): "it is called --bind here, with --certfile and --keyfile",
    ("--socket", "-s", "--uwsgi-socket"): "HTTP is what there is, also on Unix sockets: --bind",
    ("--unix-socket",): "it is called --uds here",
    ("--access-log-format", "--access-log-fmt"): _ATOMS,
    ("--proxy-headers", "--no-proxy-headers"): _PROXY,
    ("--factory", "--call"): _FACTORY,
    ("--interface", "--wsgi"): _WSGI,
    ("--module", "--wsgi-file", "--file", "--callable"): _APP,
    ("--cheaper", "--cheaper-initial", "--cheaper-step"): _CHEAPER,
    ("--http-timeout",): "it is called --body-timeout here, and --timeout is for the application",
    ("--http-keepalive",): "it is called --keep-alive here, and takes a duration",
    ("--buffer-size",): _HEAD,
    ("--limit-post",): "it is called --limit-request-body here",
    ("--post-buffering",): "it is called --body-buffer here",
    ("--master", "--die-on-term", "--need-app", "--enable-threads"): _ALWAYS,
    ("--strict", "--single-interpreter", "--vacuum", "--lazy-apps"): _ALWAYS,
    ("--disable-logging", "-L"): _QUIET,
    ("--logto", "--logger"): "it is called --error-logfile here",
    ("--req-logger",): "it is called --access-logfile here",
    ("--daemonize", "--daemonize2"): _FOREGROUND,
    ("--static-path-route", "--static-path-mount"): _STATIC,
    ("--stats", "--metrics", "--metrics-port"): _METRICS,
    ("--http2", "--http-2"): _HTTP2,
    ("--virtualenv", "-H", "--venv", "--home"): "not needed; run the quaich of that environment",
}


def note_on(option: str) -> str | None:
    """What is so about an option of another server; None if it is not known from one."""
    for names, note in NOTES.items():
        if option in names:
            return note
    for row in SETTINGS.values():
        if isinstance(row, Other) and option in row.flags:
            return row.reason
    return None
