"""Settings that make no sense without another one.

Without such a check they would be taken and do nothing: a certificate of a client would not be
asked for, a worker never be replaced.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple


class Need(NamedTuple):
    """What a setting needs, if it has another value than its default."""

    name: str
    is_met_by: Callable[[Any], bool]
    reason: str


_CERTIFICATE: Final = Need("certfile", lambda value: value is not None, "it needs {certfile}")
_KEY: Final = Need(
    "certfile",
    lambda value: value not in (None, "adhoc"),
    "it needs {certfile} with a file",
)
_WORKERS: Final = Need("workers", lambda value: value != 0, "it needs {workers} 1 or more")

_STATSD: Final = Need("statsd_host", lambda value: value is not None, "it needs {statsd_host}")

NEEDS: Final[dict[str, Need]] = {
    "keyfile": _KEY,
    "keyfile_password": _KEY,
    "sni_dir": _CERTIFICATE,
    "ca_certs": _CERTIFICATE,
    "cert_reqs": Need("ca_certs", lambda value: value is not None, "it needs {ca_certs}"),
    "preload": _WORKERS,
    "ready_path": _WORKERS,
    "reuse_port": _WORKERS,
    "max_requests": _WORKERS,
    "max_requests_jitter": Need(
        "max_requests", lambda value: value > 0, "it needs {max_requests} 1 or more"
    ),
    "statsd_prefix": _STATSD,
    "dogstatsd_tags": _STATSD,
    "max_worker_memory": _WORKERS,
    "max_worker_lifetime": _WORKERS,
}


def first_unmet(values: Mapping[str, Any], defaults: Mapping[str, Any]) -> tuple[str, Need] | None:
    """The first setting in ``values`` whose need is not met there, nor by the defaults."""
    for name, need in NEEDS.items():
        if name not in values or values[name] == defaults[name]:
            continue
        if not need.is_met_by(values.get(need.name, defaults[need.name])):
            return name, need
    return None
