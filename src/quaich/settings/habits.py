"""What other servers call a setting, or have and Quaich has not: what is so here, for those who
come with it in their fingers.

    note_on         what to say of a name that is not one of ours
    spelled         the words of a note, with settings written as where the name came from
    known_as        the setting that has another name with gunicorn

The names are flags of uvicorn, granian, waitress-serve, uWSGI and ``flask run``, and the flags and
settings of gunicorn (:mod:`quaich.settings.gunicorn`). What is a flag here, be it as an alias,
needs no note. Loaded only when a name is wrong.
"""

from collections.abc import Callable
from typing import Final

from quaich.settings.declare import Setting
from quaich.settings.groups import TABLE
from quaich.settings.gunicorn import SETTINGS, Other, Same

Spell = Callable[[Setting], str]

_RELOAD: Final = "not yet; after a change start again, or send SIGHUP if there are {workers}"
_CONFIG: Final = (
    "settings are in quaich.toml, or in what --config names; quaich migrate understands gunicorn's"
)
_ATOMS: Final = "it is called {access_logformat} here, and takes gunicorn's atoms"
_PROXY: Final = "{forwarded_allow_ips} says whose fields are believed, {forwarded_headers} which"
_FACTORY: Final = (
    "not needed; a function that makes the application is written as a call: MODULE:NAME()"
)
_WSGI: Final = "not needed; WSGI is the one interface there is"
_HEAD: Final = "it is called {limit_request_head} here"
_BIND: Final = "it is called {bind} here"
_APP: Final = "it is called {app} here; on the command line it stands by itself"
_ALWAYS: Final = "not needed; that is always so here"
_QUIET: Final = "not needed; there is no access log unless {access_logfile} asks for it"
_STATIC: Final = "it is called {static} here, and takes /URL=DIRECTORY"
_KINDS: Final = "there is one kind of worker, with threads, whose number is {threads}: leave it out"
_FOREGROUND: Final = "not there; quaich stays in the foreground, for systemd or a container"
_CHEAPER: Final = "not yet; the number of workers is fixed, and SIGTTIN and SIGTTOU change it"
_HTTP2: Final = "HTTP/1.1 is what there is; a proxy in front can speak HTTP/2"
_METRICS: Final = "it is called {admin_bind} here, with /metrics and more"

NOTES: Final = {
    ("--runtime-mode", "--loop", "--task-impl"): _KINDS,
    ("--backpressure",): "it is called {worker_connections} here",
    ("--runtime-threads", "--with-threads", "--without-threads"): (
        "there is none; {threads} bounds the calls of APP at once"
    ),
    ("--channel-timeout",): "it is called {keep_alive} here",
    ("--http1-header-read-timeout",): "it is called {header_timeout} here, and is in seconds",
    ("--http1-keep-alive", "--no-http1-keep-alive"): (
        "it is called {keep_alive} here, and takes a duration; 0 is none"
    ),
    ("--max-request-header-size", "--h11-max-incomplete-event-size"): _HEAD,
    ("--http1-buffer-size",): _HEAD,
    ("--inbuf-overflow",): "it is called {body_buffer} here",
    ("--outbuf-high-watermark",): "it is called {response_buffer} here",
    ("--ident",): "there is none; --no-server-header leaves the field Server out",
    ("--no-date-header",): "there is none; HTTP wants the field Date",
    ("--reload-dir", "--reload-paths", "--reload-include", "--reload-exclude"): _RELOAD,
    ("--py-autoreload", "--touch-reload", "--debug"): _RELOAD,
    ("--ini", "--yaml", "--json", "--xml"): _CONFIG,
    ("--listen", "--http", "--http-socket", "--http11-socket"): _BIND,
    ("--https", "--https-socket"): "it is called {bind} here, with {certfile} and {keyfile}",
    ("--socket", "-s", "--uwsgi-socket"): "HTTP is what there is, also on Unix sockets: {bind}",
    ("--unix-socket",): "it is called {bind} here, and takes unix:PATH",
    ("--access-log-format", "--access-log-fmt"): _ATOMS,
    ("--proxy-headers", "--no-proxy-headers"): _PROXY,
    ("--factory", "--call"): _FACTORY,
    ("--interface", "--wsgi"): _WSGI,
    ("--module", "--wsgi-file", "--file", "--callable"): _APP,
    ("--cheaper", "--cheaper-initial", "--cheaper-step"): _CHEAPER,
    ("--http-timeout",): "it is called {body_timeout} here, and {timeout} is for the application",
    ("--http-keepalive",): "it is called {keep_alive} here, and takes a duration",
    ("--buffer-size",): _HEAD,
    ("--limit-post",): "it is called {limit_request_body} here",
    ("--post-buffering",): "it is called {body_buffer} here",
    ("--master", "--die-on-term", "--need-app", "--enable-threads"): _ALWAYS,
    ("--strict", "--single-interpreter", "--vacuum", "--lazy-apps"): _ALWAYS,
    ("--disable-logging", "-L"): _QUIET,
    ("--logto", "--logger"): "it is called {error_logfile} here",
    ("--req-logger",): "it is called {access_logfile} here",
    ("--daemonize", "--daemonize2"): _FOREGROUND,
    ("--static-path-route", "--static-path-mount"): _STATIC,
    ("--stats", "--metrics", "--metrics-port"): _METRICS,
    ("--http2", "--http-2"): _HTTP2,
    ("--virtualenv", "-H", "--venv", "--home"): "not needed; run the quaich of that environment",
}


def note_on(name: str, spell: Spell) -> str | None:
    """What is so about a flag of another server's, or a setting that would be called so, ``_`` or
    ``-`` between its words; None if it is not known from one."""
    flag = name if name.startswith("-") else f"--{name.replace('_', '-')}"
    for names, note in NOTES.items():
        if flag in names:
            return spelled(note, spell)
    for key, row in SETTINGS.items():
        if isinstance(row, Other) and flag in (*row.flags, f"--{key.replace('_', '-')}"):
            return spelled(row.reason, spell)
    return None


def spelled(note: str, spell: Spell) -> str:
    """A note, with the names of settings that stand in braces written as ``spell`` does."""
    return note.format(**{name: spell(setting) for name, setting in TABLE.items()})


def known_as() -> dict[str, Setting]:
    """The settings by the names that they have in a file of gunicorn's."""
    return {key: TABLE[row.name] for key, row in SETTINGS.items() if isinstance(row, Same)}
