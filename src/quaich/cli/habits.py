"""Options of other servers: what is so here, for those who come with them in their fingers.

The names are those of gunicorn, uvicorn, granian, waitress-serve, uWSGI and ``flask run``.
"""

from typing import Final

_PROCESSES: Final = "not yet; one process serves, with threads"
_REQUEST_TIMEOUT: Final = "not yet; a request may take as long as it takes"
_RELOAD: Final = "not yet; Ctrl-C and start again"
_CONFIG: Final = "not yet; settings are options on the command line, and variables QUAICH_…"
_UNIX: Final = "not yet; only TCP addresses are served"
_TLS: Final = "not yet; a proxy in front can do TLS"
_FOREGROUND: Final = "there is none; it stays in the foreground, for a supervisor to look after"
_USER: Final = "there is none; start it as the user that it is to run as"
_LOGGING: Final = "not yet; --error-logfile and --log-level are what there is"
_ATOMS: Final = "it is called --access-logformat here, and takes gunicorn's atoms"
_PROXY: Final = "not yet; APP sees what a proxy adds as HTTP_X_FORWARDED_… in its environ"
_PREFIX: Final = "not yet; SCRIPT_NAME is empty"
_FACTORY: Final = (
    "not needed; a function that makes the application is written as a call: MODULE:NAME()"
)
_WSGI: Final = "not needed; WSGI is the one interface there is"
_HEAD: Final = "it is called --limit-request-head here"
_BIND: Final = "it is called --bind here"
_APP: Final = "not needed; APP stands by itself"
_ALWAYS: Final = "not needed; that is always so here"
_QUIET: Final = "not needed; there is no access log unless --access-log asks for it"
_STATIC: Final = "not yet; a proxy in front can serve files, or APP"

NOTES: Final = {
    ("--workers", "-w", "--max-requests", "--max-requests-jitter"): _PROCESSES,
    ("--limit-max-requests", "--workers-lifetime", "--workers-max-rss"): _PROCESSES,
    ("--worker-class", "-k", "--runtime-mode", "--loop"): _PROCESSES,
    ("--backpressure",): "it is called --worker-connections here",
    ("--runtime-threads", "--with-threads", "--without-threads"): (
        "there is none; --threads bounds the calls of APP at once"
    ),
    ("--timeout", "-t"): _REQUEST_TIMEOUT,
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
    ("--reload", "--reload-dir", "--reload-engine", "--reload-extra-file"): _RELOAD,
    ("--reload-paths", "--reload-include", "--reload-exclude", "--debug"): _RELOAD,
    ("--config", "-c", "--env-file"): _CONFIG,
    ("--listen", "--http", "--http-socket", "--http11-socket"): _BIND,
    ("--socket", "-s", "--uwsgi-socket"): "not yet; HTTP is what there is, with --bind",
    ("--uds", "--unix-socket", "--fd"): _UNIX,
    ("--certfile", "--keyfile", "--ca-certs", "--cert", "--key"): _TLS,
    ("--ssl-certfile", "--ssl-keyfile", "--ssl-certificate"): _TLS,
    ("--daemon", "-D", "--pid", "-p", "--pid-file", "--pidfile"): _FOREGROUND,
    ("--user", "-u", "--group", "-g"): _USER,
    ("--env", "-e"): "there is none; set it in the environment that it is started in",
    ("--preload", "--preload-app"): "not needed; APP is loaded before anything is served",
    ("--log-config", "--log-config-json"): _LOGGING,
    ("--access-log-format", "--access-log-fmt"): _ATOMS,
    ("--proxy-headers", "--forwarded-allow-ips", "--trusted-proxy"): _PROXY,
    ("--trusted-proxy-headers",): _PROXY,
    ("--root-path", "--url-prefix", "--url-path-prefix"): _PREFIX,
    ("--factory", "--call"): _FACTORY,
    ("--interface", "--wsgi"): _WSGI,
    ("--app", "--module", "--wsgi-file", "--file", "--callable"): _APP,
    ("--processes", "--cheaper", "--reload-on-rss", "--max-worker-lifetime"): _PROCESSES,
    ("--harakiri", "--http-timeout"): _REQUEST_TIMEOUT,
    ("--http-keepalive",): "it is called --keep-alive here, and takes a duration",
    ("--buffer-size",): _HEAD,
    ("--limit-post",): "it is called --limit-request-body here",
    ("--post-buffering",): "it is called --body-buffer here",
    ("--ini", "--yaml", "--json", "--xml"): _CONFIG,
    ("--py-autoreload", "--touch-reload"): _RELOAD,
    ("--master", "--die-on-term", "--need-app", "--enable-threads"): _ALWAYS,
    ("--strict", "--single-interpreter", "--vacuum", "--lazy-apps"): _ALWAYS,
    ("--disable-logging", "-L"): _QUIET,
    ("--logto", "--logger"): "it is called --error-logfile here",
    ("--req-logger",): "it is called --access-logfile here",
    ("--static-map", "--static-path-route", "--static-path-mount"): _STATIC,
    ("--uid", "--gid"): _USER,
    ("--virtualenv", "-H", "--venv", "--home"): "not needed; run the quaich of that environment",
}


def note_on(option: str) -> str | None:
    """What is so about an option of another server; None if it is not known from one."""
    return next((note for names, note in NOTES.items() if option in names), None)
