"""New certificates, for workers that have no right to read them: this process has, and makes new
workers with them."""

from typing import Final

from quaich.exchange.log import SafeLogger
from quaich.server.running import certificates_of
from quaich.server.supervisor.plan import Crowd
from quaich.server.supervisor.service import Service
from quaich.settings import SettingError

logger = SafeLogger("quaich.error")

CERTIFICATES: Final = 2.0  # seconds between two looks at their files


class Renewal:
    """See the module."""

    def __init__(self, service: Service, crowd: Crowd) -> None:
        self._service = service
        self._crowd = crowd
        self._next_look = 0.0

    def look(self, now: float) -> None:
        """Workers that belong to another user may not even see that there are new files."""
        certificates, owner = self._service.certificates, self._service.settings.process
        if certificates is None or now < self._next_look:
            return
        self._next_look = now + CERTIFICATES
        if (owner.user or owner.group) and certificates.have_changed():
            self.renew()

    def asked_by(self, index: int) -> None:
        """A worker has seen new certificates that it has no right to read."""
        if self._crowd.workers[index].wish is None:  # else it is to be replaced already
            self.renew()

    def renew(self) -> None:
        """Read them, and let all workers be replaced; or say why not."""
        try:
            self._service.certificates = certificates_of(self._service.settings)
        except SettingError as error:
            logger.error("%s; the former certificates stay", error)
            return
        self._crowd.wish_all("certificate")
