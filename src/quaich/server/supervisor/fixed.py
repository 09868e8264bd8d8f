"""Settings of what is there once, and stays as it is: a reload does not heed them, nor, if they are
about sockets, a new program over the same ones (SIGUSR2).

    of_sockets              what the sockets were opened for, to be compared and handed on
    warn_of_reload          at SIGHUP
    warn_of_new_program     at the start of one
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from quaich.exchange.log import SafeLogger
from quaich.settings import Settings

logger = SafeLogger("quaich.error")

Opened: TypeAlias = dict[str, Any]
"""By the name of a setting, a value of JSON."""

_OF_SOCKETS: Final[Mapping[str, Callable[[Settings], Any]]] = {
    "bind": lambda settings: list(settings.listen.bind),
    "backlog": lambda settings: settings.listen.backlog,
    "uds_permissions": lambda settings: settings.listen.uds_permissions,
    "reuse_port": lambda settings: settings.listen.reuse_port,
    "admin_bind": lambda settings: settings.admin.admin_bind,
}

_OF_PROCESS: Final[Mapping[str, Callable[[Settings], Any]]] = {
    "pidfile": lambda settings: settings.process.pidfile,
    "preload": lambda settings: settings.workers.preload,
}


def of_sockets(settings: Settings) -> Opened:
    """What they are, if sockets are opened for these settings."""
    return {name: value_of(settings) for name, value_of in _OF_SOCKETS.items()}


def warn_of_reload(opened: Opened, first: Settings, settings: Settings) -> None:
    """Name what is not heeded. ``opened``: for what the sockets were opened; ``first``: the
    settings that this process began with."""
    for name in _changed(opened, settings):
        logger.warning("%s has changed, which a reload does not heed: it needs a restart", name)
    for name, value_of in _OF_PROCESS.items():
        if value_of(settings) != value_of(first):
            logger.warning(
                "%s has changed, which a reload does not heed: it needs a restart, or SIGUSR2", name
            )


def warn_of_new_program(opened: Opened, settings: Settings) -> None:
    """Name what is not heeded. ``opened``: for what the former program has opened the sockets."""
    for name in _changed(opened, settings):
        if name == "admin_bind" and None in (opened[name], settings.admin.admin_bind):
            continue  # that one is opened, or closed
        logger.warning(
            "%s has changed, which a new program over the same sockets does not heed: it needs a "
            "restart",
            name,
        )


def _changed(opened: Opened, settings: Settings) -> list[str]:
    # A former program of another version may have told less.
    now = of_sockets(settings)
    return [name for name in now if name in opened and now[name] != opened[name]]
