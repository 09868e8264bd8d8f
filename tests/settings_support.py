"""For each setting a text that is not its default, and the value that it writes."""

from typing import Any, Final

EXAMPLES: Final[dict[str, tuple[str, Any]]] = {
    "bind": ("[::1]:0", ("[::1]:0",)),
    "backlog": ("16", 16),
    "worker_connections": ("500", 500),
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
    "header_map": ("refuse", "refuse"),
    "server_header": ("no", False),
    "access_logfile": ("access.log", "access.log"),
    "access_logformat": ("%(h)s %(s)s", "%(h)s %(s)s"),
    "error_logfile": ("error.log", "error.log"),
    "log_level": ("debug", "debug"),
}
