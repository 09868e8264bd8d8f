"""The settings of gunicorn: which setting here is the same, or why none is.

    SETTINGS        every one of them, by name
    Same            what becomes of a value
    Other           why there is no equal

Values are as a gunicorn.conf.py has them, or texts from a command line. In a reason, ``{threads}``
stands for the setting of that name, however whoever reads it writes that: see
:mod:`quaich.settings.habits`.
"""

import re
from collections.abc import Callable
from typing import Any, Final, NamedTuple, TypeAlias

VERSION: Final = "27.0.1"  # of gunicorn, whose settings these are


class NoEqual(Exception):
    """A value of a setting that is known here has no equal; ``str()`` says why."""


class Same(NamedTuple):
    """A setting that is here too."""

    name: str  # as it is called here
    flags: tuple[str, ...]
    action: str  # of argparse, or ""
    convert: Callable[[Any], Any]  # to what the setting here takes; NoEqual


class Other(NamedTuple):
    """A setting without an equal. ``reason``: why, with names of settings in braces."""

    reason: str
    flags: tuple[str, ...] = ()
    action: str = ""


Row: TypeAlias = Same | Other


def _as_it_is(value: Any) -> Any:
    return value


def _same(
    name: str, *flags: str, action: str = "", convert: Callable[[Any], Any] = _as_it_is
) -> Same:
    return Same(name, flags, action, convert)


def _limit(value: Any) -> Any:
    if str(value) == "0":
        raise NoEqual("0 is no limit there; here there always is one")
    return value


def _list(value: Any) -> Any:
    return [value] if isinstance(value, str) else [*value]


def _binds(value: Any) -> list[str]:
    """A socket of gunicorn's on all IPv6 addresses is one on those of IPv4 too."""
    binds: list[str] = []
    for text in _list(value):
        port = str(text).removeprefix("[::]:")
        binds += [text] if port == text else [f":{port}", text]
    return binds


def _socket_mode(value: Any) -> str:
    text = str(value)
    # On a command line gunicorn takes 022 as octal, as a shell's umask does.
    is_octal = isinstance(value, str) and re.fullmatch("0[0-7]+", text)
    umask = int(text, 8) if is_octal else int(text, 0)
    return f"{0o777 & ~umask:03o}"


def _cert_reqs(value: Any) -> str:
    return ("none", "optional", "required")[int(value)]


def _proxy_protocol(value: Any) -> str:
    word = str(value).lower().strip()
    return {"true": "auto", "1": "auto", "false": "off", "0": "off", "none": "off"}.get(word, word)


def _statsd(value: Any) -> Any:
    text = str(value)
    return f"unix:{text.removeprefix('unix://')}" if text.startswith("unix://") else text


def _tags(value: Any) -> Any:
    return value or []


_APPEND: Final = "append"
_FLAG: Final = "store_true"

_ASGI: Final = "it is for ASGI; here WSGI is the one interface there is"
_DIRTY: Final = "it is for gunicorn's own processes for slow work; use a queue of tasks"
_ONE_KIND: Final = (
    "there is one kind of worker, with threads, as many as {threads} says: leave it out"
)
_HTTP2: Final = "HTTP/1.1 is what there is; a proxy in front can speak HTTP/2"
_CONTROL: Final = "there is no control socket; signals, and what {admin_bind} answers"
_STRICT: Final = "there is none; what HTTP forbids is refused always"
_SYSLOG: Final = "not yet; a line goes to a file or stderr, which journald and others read"
_LOGGING: Final = (
    "not yet; {error_logfile} and {log_level}, or logging as the application configures it"
)
_RELOAD: Final = "not yet; after a change start again, or send SIGHUP if there are {workers}"
_PASTE: Final = "a function that makes the application is written as a call, module:make()"
_UWSGI: Final = "HTTP is the one protocol, also over Unix sockets"
_COMMAND: Final = "it is an option of the command line here too, and no setting"

_HOOK: Final = "there are no hooks of the server"
_MASTER_HOOK: Final = (
    f"{_HOOK}; what it does at the start can stand in the module of the application, with "
    "{preload} before the workers are made"
)
_WORKER_HOOK: Final = (
    f"{_HOOK}; each worker loads the application itself, so what it does can stand in its module; "
    "with {preload} use os.register_at_fork"
)
_EXIT_HOOK: Final = f"{_HOOK}; what it does at the end can be registered with atexit"
_REQUEST_HOOK: Final = f"{_HOOK}; a middleware around the application sees each request"
_WATCH_HOOK: Final = f"{_HOOK}; /status and /metrics ({{admin_bind}}) and the log tell of workers"

# By the end of the name, which may be "gunicorn.workers.sync.SyncWorker" or "egg:gunicorn#sync".
_KINDS: Final = {
    "sync": "sync",
    "SyncWorker": "sync",
    "gthread": "gthread",
    "ThreadWorker": "gthread",
}

_GREENLETS: Final = ("gevent", "eventlet", "tornado")


def kind_of_worker(name: str) -> str:
    """A kind of worker by its name: sync, gthread, or that name in lower case."""
    return _KINDS.get(name.rpartition("#")[2].rpartition(".")[2], name.lower())


def reason_against(kind: str) -> str:
    """Why there is no such kind of worker, and what to do instead; empty for gthread, which is
    the kind that there is."""
    if kind == "gthread":
        return ""
    if kind == "sync":
        return f"{_ONE_KIND}; with {{threads}} 1 it is as sync was"
    if any(word in kind for word in _GREENLETS):
        return (
            f"{_ONE_KIND}; idle connections need no thread here, calls that wait do: set"
            " {threads} to as many as wait at once"
        )
    return _ASGI if "uvicorn" in kind or "asgi" in kind else _ONE_KIND


SETTINGS: Final[dict[str, Row]] = {
    # Config File
    "config": Other("it names the file of settings; --config does so here", ("-c", "--config")),
    "wsgi_app": _same("app"),
    # Control
    "control_socket": Other(_CONTROL, ("--control-socket",)),
    "control_socket_mode": Other(_CONTROL, ("--control-socket-mode",)),
    "control_socket_disable": Other(_CONTROL, ("--no-control-socket",), _FLAG),
    # Debugging
    "reload": Other(_RELOAD, ("--reload",), _FLAG),
    "reload_engine": Other(_RELOAD, ("--reload-engine",)),
    "reload_extra_files": Other(_RELOAD, ("--reload-extra-file",), _APPEND),
    "spew": Other("there is none; python -m trace shows each line that runs", ("--spew",), _FLAG),
    "check_config": Other(_COMMAND, ("--check-config",), _FLAG),
    "print_config": Other(_COMMAND, ("--print-config",), _FLAG),
    # Dirty Arbiters, and their hooks
    "dirty_apps": Other(_DIRTY, ("--dirty-app",), _APPEND),
    "dirty_workers": Other(_DIRTY, ("--dirty-workers",)),
    "dirty_timeout": Other(_DIRTY, ("--dirty-timeout",)),
    "dirty_threads": Other(_DIRTY, ("--dirty-threads",)),
    "dirty_graceful_timeout": Other(_DIRTY, ("--dirty-graceful-timeout",)),
    "on_dirty_starting": Other(_DIRTY),
    "dirty_post_fork": Other(_DIRTY),
    "dirty_worker_init": Other(_DIRTY),
    "dirty_worker_exit": Other(_DIRTY),
    # HTTP/2
    "http_protocols": Other(_HTTP2, ("--http-protocols",)),
    "http2_cleartext": Other(_HTTP2, ("--http2-cleartext",)),
    "http2_max_concurrent_streams": Other(_HTTP2, ("--http2-max-concurrent-streams",)),
    "http2_initial_window_size": Other(_HTTP2, ("--http2-initial-window-size",)),
    "http2_max_frame_size": Other(_HTTP2, ("--http2-max-frame-size",)),
    "http2_max_header_list_size": Other(_HTTP2, ("--http2-max-header-list-size",)),
    # Logging
    "accesslog": _same("access_logfile", "--access-logfile"),
    "access_log_format": _same("access_logformat", "--access-logformat"),
    "errorlog": _same("error_logfile", "--error-logfile", "--log-file"),
    "loglevel": _same("log_level", "--log-level"),
    "statsd_host": _same("statsd_host", "--statsd-host", convert=_statsd),
    "statsd_prefix": _same("statsd_prefix", "--statsd-prefix"),
    "dogstatsd_tags": _same("dogstatsd_tags", "--dogstatsd-tags", convert=_tags),
    "enable_backlog_metric": Other(
        "the figures of /metrics and statsd are always all of them",
        ("--enable-backlog-metric",),
        _FLAG,
    ),
    "disable_redirect_access_to_syslog": Other(
        _SYSLOG, ("--disable-redirect-access-to-syslog",), _FLAG
    ),
    "syslog": Other(_SYSLOG, ("--log-syslog",), _FLAG),
    "syslog_addr": Other(_SYSLOG, ("--log-syslog-to",)),
    "syslog_prefix": Other(_SYSLOG, ("--log-syslog-prefix",)),
    "syslog_facility": Other(_SYSLOG, ("--log-syslog-facility",)),
    "logger_class": Other(_LOGGING, ("--logger-class",)),
    "logconfig": Other(_LOGGING, ("--log-config",)),
    "logconfig_dict": Other(_LOGGING),
    "logconfig_json": Other(_LOGGING, ("--log-config-json",)),
    "capture_output": Other(
        "what the application prints stays on stdout and stderr", ("--capture-output",), _FLAG
    ),
    "enable_stdio_inheritance": Other(
        "stdout and stderr are always those of the start",
        ("-R", "--enable-stdio-inheritance"),
        _FLAG,
    ),
    # Process Naming
    "proc_name": _same("name", "-n", "--name"),
    "default_proc_name": Other("gunicorn sets it itself"),
    # SSL
    "certfile": _same("certfile", "--certfile"),
    "keyfile": _same("keyfile", "--keyfile"),
    "ca_certs": _same("ca_certs", "--ca-certs"),
    "cert_reqs": _same("cert_reqs", "--cert-reqs", convert=_cert_reqs),
    "ciphers": _same("ciphers", "--ciphers"),
    "ssl_version": Other("gunicorn ignores it; here is {tls_min_version}", ("--ssl-version",)),
    "suppress_ragged_eofs": Other(
        "such an end is an end of the connection always", ("--suppress-ragged-eofs",), _FLAG
    ),
    "do_handshake_on_connect": Other(
        "a handshake is never waited for", ("--do-handshake-on-connect",), _FLAG
    ),
    # Security
    "limit_request_line": _same("limit_request_line", "--limit-request-line", convert=_limit),
    "limit_request_fields": _same("limit_request_fields", "--limit-request-fields", convert=_limit),
    "limit_request_field_size": _same(
        "limit_request_field_size", "--limit-request-field_size", convert=_limit
    ),
    # Server Hooks
    "on_starting": Other(_MASTER_HOOK),
    "on_reload": Other(_MASTER_HOOK),
    "when_ready": Other(f"{_HOOK}; systemd is told (sd_notify), and /readyz answers 200"),
    "pre_fork": Other(_MASTER_HOOK),
    "post_fork": Other(_WORKER_HOOK),
    "post_worker_init": Other(_WORKER_HOOK),
    "worker_int": Other(_EXIT_HOOK),
    "worker_abort": Other(f"{_HOOK}; past the timeout the stack of the thread is logged"),
    "pre_exec": Other(_HOOK),
    "pre_request": Other(_REQUEST_HOOK),
    "post_request": Other(_REQUEST_HOOK),
    "child_exit": Other(_WATCH_HOOK),
    "worker_exit": Other(_EXIT_HOOK),
    "nworkers_changed": Other(_WATCH_HOOK),
    "on_exit": Other(_EXIT_HOOK),
    "ssl_context": Other(
        f"{_HOOK}; {{tls_min_version}}, {{ciphers}}, {{sni_dir}} are what can be chosen"
    ),
    # Server Mechanics
    "preload_app": _same("preload", "--preload", action=_FLAG),
    "reuse_port": _same("reuse_port", "--reuse-port", action=_FLAG),
    "chdir": _same("chdir", "--chdir"),
    "raw_env": _same("env", "-e", "--env", action=_APPEND, convert=_list),
    "pidfile": _same("pidfile", "-p", "--pid"),
    "user": _same("user", "-u", "--user", convert=str),
    "group": _same("group", "-g", "--group", convert=str),
    # It is about the files of gunicorn's own, of which only the sockets are left here.
    "umask": _same("uds_permissions", "-m", "--umask", convert=_socket_mode),
    "pythonpath": _same("pythonpath", "--pythonpath"),
    "forwarded_allow_ips": _same("forwarded_allow_ips", "--forwarded-allow-ips"),
    "proxy_protocol": _same(
        "proxy_protocol", "--proxy-protocol", action="optional", convert=_proxy_protocol
    ),
    "proxy_allow_ips": _same("proxy_allow_from", "--proxy-allow-from"),
    "header_map": _same("header_map", "--header-map"),
    "root_path": _same("root_path", "--root-path"),
    "sendfile": Other(
        "files go out by sendfile where the system has it", ("--no-sendfile",), "store_false"
    ),
    "daemon": Other(
        "it stays in the foreground, for systemd or a container to look after",
        ("-D", "--daemon"),
        _FLAG,
    ),
    "initgroups": Other("with {user} that is always so", ("--initgroups",), _FLAG),
    "worker_tmp_dir": Other("workers show in shared memory that they live", ("--worker-tmp-dir",)),
    "tmp_upload_dir": Other("long content goes where the variable TMPDIR says"),
    "secure_scheme_headers": Other(
        "{forwarded_headers} names the fields that are believed; their values are those of the "
        "standards"
    ),
    "forwarder_headers": Other(
        "SCRIPT_NAME comes from {root_path}, or from X-Forwarded-Prefix if {forwarded_headers} "
        "has it",
        ("--forwarder-headers",),
    ),
    "paste": Other(_PASTE, ("--paste", "--paster")),
    "raw_paste_global_conf": Other(_PASTE, ("--paste-global",), _APPEND),
    "protocol": Other(_UWSGI, ("--protocol",)),
    "uwsgi_allow_ips": Other(_UWSGI, ("--uwsgi-allow-from",)),
    "permit_obsolete_folding": Other(_STRICT, ("--permit-obsolete-folding",), _FLAG),
    "strip_header_spaces": Other(_STRICT, ("--strip-header-spaces",), _FLAG),
    "permit_unconventional_http_method": Other(
        "any method that is a token is taken", ("--permit-unconventional-http-method",), _FLAG
    ),
    "permit_unconventional_http_version": Other(
        _STRICT, ("--permit-unconventional-http-version",), _FLAG
    ),
    "casefold_http_method": Other(
        "methods are handed on as they came", ("--casefold-http-method",), _FLAG
    ),
    # Server Socket
    "bind": _same("bind", "-b", "--bind", action=_APPEND, convert=_binds),
    "backlog": _same("backlog", "--backlog"),
    # Worker Processes
    "workers": _same("workers", "-w", "--workers"),
    "worker_class": Other(
        _ONE_KIND,
        ("-k", "--worker-class"),
    ),
    "threads": _same("threads", "--threads"),
    "worker_connections": _same("worker_connections", "--worker-connections"),
    "max_requests": _same("max_requests", "--max-requests"),
    "max_requests_jitter": _same("max_requests_jitter", "--max-requests-jitter"),
    "timeout": _same("timeout", "-t", "--timeout"),
    "graceful_timeout": _same("graceful_timeout", "--graceful-timeout"),
    "keepalive": _same("keep_alive", "--keep-alive"),
    "asgi_loop": Other(_ASGI, ("--asgi-loop",)),
    "asgi_lifespan": Other(_ASGI, ("--asgi-lifespan",)),
    "asgi_disconnect_grace_period": Other(_ASGI, ("--asgi-disconnect-grace-period",)),
    "websocket_max_message_size": Other(_ASGI, ("--websocket-max-message-size",)),
    "http_parser": Other("there is one parser", ("--http-parser",)),
}
