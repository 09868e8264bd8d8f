"""A certificate that is replaced by a new one, and what clients are shown meanwhile."""

import os
import ssl
import threading
from pathlib import Path
from time import monotonic
from typing import NamedTuple

from server.certificates import Authority, key_in_pem
from server.wire import Client, TlsClient

Address = tuple[str, int]


class Shown(NamedTuple):
    """What one connection has shown. Times are monotonic."""

    pid: int  # who answered
    number: int  # of the certificate
    begun: float  # when the client began to connect
    answered: float


class Renewal:
    """Certificates for localhost, numbered from 0, each in the same two files in its turn.

    ``options``: of the server. Only the owner of this process may read the key.
    """

    def __init__(self, directory: Path) -> None:
        self._authority = Authority(directory)
        self._certfile, self._keyfile = directory / "fullchain.pem", directory / "privkey.pem"
        self.options = ("--certfile", str(self._certfile), "--keyfile", str(self._keyfile))
        self._context = self._authority.client_context()
        self._serials: list[int] = []
        self._lock = threading.Lock()
        self._shown: list[Shown] = []
        self.renew()

    def renew(self) -> int:
        """Put the next certificate and then its key in place, each at once; its number. For an
        instant the two do not belong together: that is how they are renewed."""
        issued = self._authority.issue("localhost")
        self._serials.append(issued.certificate.serial_number)
        _replace(self._certfile, issued.certificate_in_pem, 0o644)
        _replace(self._keyfile, key_in_pem(issued.key), 0o600)
        return len(self._serials) - 1

    def connect(self, address: Address) -> Client:
        """A client that trusts them."""
        return TlsClient(address, context=self._context)

    def note(self, client: Client, pid: int, begun: float) -> None:
        """Note what a connection has shown."""
        answered = monotonic()
        assert isinstance(client.socket, ssl.SSLSocket)
        certificate = client.socket.getpeercert()
        assert certificate is not None
        number = self._serials.index(int(str(certificate["serialNumber"]), 16))
        with self._lock:
            self._shown.append(Shown(pid, number, begun, answered))

    def shown(self) -> list[Shown]:
        with self._lock:
            return [*self._shown]

    def is_shown_by(self, pids: list[int], number: int) -> bool:
        """Whether all of these processes show the certificate of that number."""
        return {*pids} <= {each.pid for each in self.shown() if each.number == number}

    def relapses(self) -> list[Shown]:
        """Connections that began when their process had shown a newer certificate already."""
        found: list[Shown] = []
        shown = self.shown()
        for number in range(len(self._serials)):
            since: dict[int, float] = {}  # when a process has first shown this one
            for each in shown:
                if each.number == number:
                    since[each.pid] = min(each.answered, since.get(each.pid, each.answered))
            found += [
                each
                for each in shown
                if each.number < number and each.pid in since and each.begun > since[each.pid]
            ]
        return found


def _replace(path: Path, content: bytes, mode: int) -> None:
    """Put a file in the place of another; nobody sees half of it, or none."""
    beside = path.with_suffix(".new")
    beside.touch(mode)
    beside.write_bytes(content)
    os.replace(beside, path)  # noqa: PTH105
