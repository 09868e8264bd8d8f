"""For each setting a text that is not its default, and the value that it writes."""

from typing import Any, Final

EXAMPLES: Final[dict[str, tuple[str, Any]]] = {
    "bind": ("[::1]:0", ("[::1]:0",)),
    "backlog": ("16", 16),
    "uds_permissions": ("660", 0o660),
    "reuse_port": ("yes", True),
    "worker_connections": ("500", 500),
    "workers": ("auto", "auto"),
    "preload": ("on", True),
    "ready_path": ("/ready", "/ready"),
    "max_requests": ("1000", 1000),
    "max_requests_jitter": ("100", 100),
    "max_worker_memory": ("512m", 512 * 2**20),
    "max_worker_lifetime": ("6h", 21_600.0),
    "threads": ("1", 1),
    "poller": ("selectors", "selectors"),
    "limit_request_line": ("4k", 4096),
    "limit_request_fields": ("64", 64),
    "limit_request_field_size": ("4KiB", 4096),
    "limit_request_head": ("128k", 131_072),
    "limit_chunk_extensions": ("100", 100),
    "limit_request_trailers": ("5", 5),
    "limit_request_trailer_size": ("1k", 1024),
    "limit_request_body": ("0", 0),
    "body_buffer": ("2m", 2 * 2**20),
    "stream_body": ("yes", True),
    "response_buffer": ("0", 0),
    "header_timeout": ("10", 10.0),
    "body_timeout": ("500ms", 0.5),
    "write_timeout": ("2m", 120.0),
    "keep_alive": ("0", 0.0),
    "graceful_timeout": ("1h", 3600.0),
    "timeout": ("30s", 30.0),
    "slow_request_threshold": ("1.5s", 1.5),
    "header_map": ("refuse", "refuse"),
    "server_header": ("no", False),
    "forwarded_allow_ips": ("10.0.0.0/8,::1", ("10.0.0.0/8", "::1")),
    "forwarded_headers": ("forwarded", ("forwarded",)),
    "forwarded_count": ("2", 2),
    "proxy_protocol": ("auto", "auto"),
    "proxy_allow_from": ("*", ("*",)),
    "root_path": ("/shop", "/shop"),
    "certfile": ("cert.pem", "cert.pem"),
    "keyfile": ("key.pem", "key.pem"),
    "keyfile_password": ("sesame", "sesame"),
    "sni_dir": ("certificates", "certificates"),
    "ca_certs": ("ca.pem", "ca.pem"),
    "cert_reqs": ("required", "required"),
    "ciphers": ("ECDHE+AESGCM", "ECDHE+AESGCM"),
    "tls_min_version": ("1.3", "1.3"),
    "static": ("/static=public,/m=media", ("/static=public", "/m=media")),
    "static_expires": ("1h", 3600.0),
    "static_symlinks": ("refuse", "refuse"),
    "access_logfile": ("access.log", "access.log"),
    "access_logformat": ("%(h)s %(s)s", "%(h)s %(s)s"),
    "error_logfile": ("error.log", "error.log"),
    "log_level": ("debug", "debug"),
    "admin_bind": ("127.0.0.1:9090", "127.0.0.1:9090"),
    "health_path": ("/healthz", "/healthz"),
    "statsd_host": ("localhost:8125", "localhost:8125"),
    "statsd_prefix": ("shop", "shop"),
    "dogstatsd_tags": ("env:prod,zone:a", ("env:prod", "zone:a")),
    "app": ("shop:app", "shop:app"),
    "chdir": ("src", "src"),
    "pythonpath": ("lib,src", ("lib", "src")),
    "env": ("DEBUG=1,2", ("DEBUG=1,2",)),
    "env_file": (".env", (".env",)),
    "user": ("www-data", "www-data"),
    "group": ("33", "33"),
    "umask": ("0o027", 0o027),
    "pidfile": ("quaich.pid", "quaich.pid"),
    "name": ("shop", "shop"),
}

_CERTIFICATE: Final = {"certfile": "cert.pem"}
_WORKERS: Final = {"workers": 2}

# What a setting needs beside it.
_STATSD: Final = {"statsd_host": "127.0.0.1:8125"}

COMPANIONS: Final[dict[str, dict[str, Any]]] = {
    "keyfile": _CERTIFICATE,
    "keyfile_password": _CERTIFICATE,
    "sni_dir": _CERTIFICATE,
    "ca_certs": _CERTIFICATE,
    "cert_reqs": _CERTIFICATE | {"ca_certs": "ca.pem"},
    "preload": _WORKERS,
    "ready_path": _WORKERS,
    "reuse_port": _WORKERS,
    "max_requests": _WORKERS,
    "max_requests_jitter": _WORKERS | {"max_requests": 1000},
    "max_worker_memory": _WORKERS,
    "max_worker_lifetime": _WORKERS,
    "statsd_prefix": _STATSD,
    "dogstatsd_tags": _STATSD,
}


def beside(name: str) -> dict[str, Any]:
    """The keyword arguments that a setting needs beside it."""
    return COMPANIONS.get(name, {})
