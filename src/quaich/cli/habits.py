"""Options of other servers: what is so here, for those who come with them in their fingers.

The names are those of gunicorn, uvicorn, granian, waitress-serve and ``flask run``.
"""

from typing import Final

_PROCESSES: Final = "not yet; one process serves, with a thread for each connection"
_THREADS: Final = "not yet; each connection has its thread, without a bound"
_REQUEST_TIMEOUT: Final = "not yet; a request may take as long as it takes"
_RELOAD: Final = "not yet; Ctrl-C and start again"
_CONFIG: Final = "not yet; settings are the options on the command line"
_UNIX: Final = "not yet; only TCP addresses are served"
_TLS: Final = "not yet; a proxy in front can do TLS"
_FOREGROUND: Final = "there is none; it stays in the foreground, for a supervisor to look after"
_USER: Final = "there is none; start it as the user that it is to run as"
_LEVEL: Final = "there is none; --no-access-log leaves out the line for each request"
_LOGGING: Final = 'not yet; APP may configure logging, and in it the logger "quaich.access"'
_ERRORS: Final = "not yet; errors go to stderr"
_PROXY: Final = "not yet; APP sees what a proxy adds as HTTP_X_FORWARDED_… in its environ"
_PREFIX: Final = "not yet; SCRIPT_NAME is empty"
_FACTORY: Final = (
    "not needed; a function that makes the application is written as a call: MODULE:NAME()"
)
_WSGI: Final = "not needed; WSGI is the one interface there is"

NOTES: Final = {
    ("--workers", "-w", "--max-requests", "--max-requests-jitter"): _PROCESSES,
    ("--limit-max-requests", "--workers-lifetime", "--workers-kill-timeout"): _PROCESSES,
    ("--worker-class", "-k", "--runtime-mode", "--loop"): _PROCESSES,
    ("--threads", "--worker-connections", "--limit-concurrency", "--backpressure"): _THREADS,
    ("--blocking-threads", "--runtime-threads", "--connection-limit"): _THREADS,
    ("--with-threads", "--without-threads"): _THREADS,
    ("--timeout", "-t", "--channel-timeout"): _REQUEST_TIMEOUT,
    ("--graceful-timeout", "--timeout-graceful-shutdown"): "not yet; requests have {drain:g} s",
    ("--keep-alive", "--timeout-keep-alive"): "not yet; idle connections are kept {idle:g} s",
    ("--backlog",): "not yet; it is {backlog}",
    ("--reload", "--reload-dir", "--reload-engine", "--reload-extra-file"): _RELOAD,
    ("--reload-paths", "--reload-include", "--reload-exclude", "--debug"): _RELOAD,
    ("--config", "-c", "--env-file"): _CONFIG,
    ("--listen",): "it is called --bind here",
    ("--uds", "--unix-socket", "--fd"): _UNIX,
    ("--certfile", "--keyfile", "--ca-certs", "--cert", "--key"): _TLS,
    ("--ssl-certfile", "--ssl-keyfile", "--ssl-certificate"): _TLS,
    ("--daemon", "-D", "--pid", "-p", "--pid-file", "--pidfile"): _FOREGROUND,
    ("--user", "-u", "--group", "-g"): _USER,
    ("--env", "-e"): "there is none; set it in the environment that it is started in",
    ("--preload", "--preload-app"): "not needed; APP is loaded before anything is served",
    ("--log-level",): _LEVEL,
    ("--log-config", "--log-config-json", "--access-logformat"): _LOGGING,
    ("--access-log-format", "--access-log-fmt"): _LOGGING,
    ("--error-logfile", "--log-file"): _ERRORS,
    ("--proxy-headers", "--forwarded-allow-ips", "--trusted-proxy"): _PROXY,
    ("--trusted-proxy-headers",): _PROXY,
    ("--root-path", "--url-prefix", "--url-path-prefix"): _PREFIX,
    ("--factory", "--call"): _FACTORY,
    ("--interface", "--wsgi"): _WSGI,
    ("--app",): "not needed; APP stands by itself",
}


def note_on(option: str) -> str | None:
    """What is so about an option of another server; None if it is not known from one."""
    for names, note in NOTES.items():
        if option in names:
            # Imported here: the server is wanted for its numbers only.
            from quaich.cli.serving import DRAIN_TIMEOUT, IDLE_TIMEOUT, Server

            return note.format(
                drain=DRAIN_TIMEOUT, idle=IDLE_TIMEOUT, backlog=Server.request_queue_size
            )
    return None
