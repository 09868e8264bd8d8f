"""What is supervised, and with what."""

from collections.abc import Callable
from dataclasses import dataclass
from socket import socket
from typing import TYPE_CHECKING, Final

from quaich.server.logs.files import ErrorLog
from quaich.server.supervisor.cpus import available
from quaich.server.supervisor.fixed import Opened
from quaich.server.supervisor.upgrade import Inherited, Start
from quaich.server.system.notify import Notifier
from quaich.server.system.pidfile import PidFile
from quaich.server.system.process import set_title
from quaich.settings import SettingError, Settings
from quaich.types import WSGIApplication

if TYPE_CHECKING:
    from quaich.server.tls.certificates import Certificates


WORKERS_MAX: Final = 256
"""Workers of one supervisor; for each there may be one more that replaces it."""


@dataclass(slots=True)
class Service:
    """See the module. ``settings``, ``error_log`` and ``certificates`` change with a reload."""

    load: Callable[[Settings], WSGIApplication]
    settings: Settings
    listeners: list[socket]
    error_log: ErrorLog
    notifier: Notifier
    start: Start
    pidfile: PidFile
    announce: Callable[[], None]  # called once, when the first worker serves
    opened_for: Opened  # settings of the sockets
    certificates: "Certificates | None" = None  # loaded by this process, for all workers
    admin: socket | None = None  # the listener of the pages for an operator, if there are any
    reread: Callable[[], Settings] | None = None
    inherited: Inherited | None = None
    is_preloaded: bool = False  # load() gives what is here already

    def set_title(self, role: str) -> None:
        """What lists of processes show of this one."""
        set_title(f"{self.settings.process.name or 'quaich'}: {role}")


def worker_count(settings: Settings) -> int:
    """How many workers the settings ask for, at least 1. SettingError for a number that a
    supervisor cannot have."""
    count = settings.workers.workers
    if isinstance(count, str):
        return min(available(), WORKERS_MAX)
    if count == 0:
        raise SettingError("workers", "0 needs a restart: there would be no supervisor")
    if count > WORKERS_MAX:
        raise SettingError("workers", f"{count} are too many; at most {WORKERS_MAX}")
    return count
