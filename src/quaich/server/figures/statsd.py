"""Figures for a statsd server, under gunicorn's names.

    gunicorn.requests              counter
    gunicorn.request.status.200    counter, one for each status code
    gunicorn.request.duration      timer, in milliseconds
    gunicorn.workers               gauge: workers that are ready

They are sent a few times a second from what was counted since, not for each request: a counter
is how much it has grown. Of durations, those that fell into the same bucket of the histogram are
sent as one, their mean, with a sample rate that says how many they were; so their number and
their sum are exact, and quantiles as good as the buckets. Nothing waits: what the socket does not
take is lost, as with statsd it may be anyway.
"""

import re
import socket
from collections.abc import Iterator, Sequence
from time import monotonic
from typing import Final

from quaich.exchange.log import SafeLogger
from quaich.server.figures.board import Slot
from quaich.server.figures.counters import SIZE, Histogram, Tally
from quaich.settings import Admin
from quaich.settings.address import Address, Descriptor, UnixAddress, parse_address

logger = SafeLogger("quaich.error")

DATAGRAM_MAX: Final = 1400
"""Bytes of one datagram: what goes over Ethernet and through tunnels in one piece."""

_SOUND: Final = 20  # datagrams without an error, after which the next error is news

_PAUSE: Final = 5.0
"""Seconds until a statsd server that was not there is looked for again: a name may take long to
be looked up, and meanwhile nothing else is published."""


class Statsd:
    """Sends figures to an address. ``prefix`` and ``tags`` as the settings give them."""

    def __init__(self, address: Address | UnixAddress, prefix: str, tags: Sequence[str]) -> None:
        self._address = address
        # As gunicorn: one dot behind it, however many were given.
        self._prefix = re.sub(r"^(.+[^.]+)\.*$", r"\g<1>.", prefix)
        self._tags = f"|#{','.join(tags)}" if tags else ""
        self._before = [0] * SIZE
        self._socket: socket.socket | None = None
        self._is_failing = False
        self._sent = 0  # datagrams without an error
        self._again_at = 0.0  # when to look for it, after it was not there

    def send(self, values: Sequence[int], slot: Slot) -> None:
        """Send what has been counted since the last time. While there is nobody to send it to,
        it adds up."""
        if not self._open():
            return
        grown = [now - before for now, before in zip(values, self._before, strict=True)]
        self._before = list(values)
        lines = [f"{self._prefix}{line}{self._tags}" for line in changes(Tally(grown))]
        ready = sum(worker.state == "ready" for worker in slot.board.workers())
        lines.append(f"{self._prefix}gunicorn.workers:{ready}|g{self._tags}")
        for datagram in datagrams(lines):
            self._send(datagram)

    def _open(self) -> bool:
        now = monotonic()
        if self._socket is None and now >= self._again_at:
            try:
                self._socket = _connect(self._address)
            except OSError as error:
                self._again_at = now + _PAUSE
                self._complain(error)
        return self._socket is not None

    def _send(self, datagram: bytes) -> None:
        if self._socket is None:
            return
        try:
            self._socket.send(datagram)
        except BlockingIOError:
            return  # its buffer is full
        except OSError as error:
            self.close()  # of Unix sockets there may be another one by now
            self._complain(error)
            return
        # Where nobody listens, every other datagram seems to be sent: the refusal of the one before
        # comes with the next.
        self._sent += 1
        if self._sent > _SOUND:
            self._is_failing = False

    def _complain(self, error: OSError) -> None:
        self._sent = 0
        if not self._is_failing:
            self._is_failing = True
            logger.warning(
                "figures cannot be sent to statsd at %s: %s", self._address, error.strerror
            )

    def close(self) -> None:
        """Close the socket; the next figures open another one."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def statsd_of(admin: Admin) -> Statsd:
    """What the settings ask for. ValueError if there is no such address."""
    address = parse_address(admin.statsd_host or "")
    if isinstance(address, Descriptor):
        raise ValueError("statsd is reached at HOST:PORT or unix:PATH")
    return Statsd(address, admin.statsd_prefix, admin.dogstatsd_tags)


def _connect(address: Address | UnixAddress) -> socket.socket:
    """A socket that sends datagrams there. OSError if there is no such place."""
    if isinstance(address, UnixAddress):
        path = address.path
        family, target = socket.AF_UNIX, "\0" + path[1:] if address.is_abstract else path
        return _connected(family, target)
    found = socket.getaddrinfo(*address, type=socket.SOCK_DGRAM)
    return _connected(found[0][0], found[0][4])


def _connected(family: int, target: object) -> socket.socket:
    made = socket.socket(family, socket.SOCK_DGRAM)
    try:
        made.setblocking(False)
        made.connect(target)  # type: ignore[arg-type]  # of either family
    except BaseException:
        made.close()
        raise
    return made


def changes(grown: Tally) -> Iterator[str]:
    """The lines, without prefix and tags, for what has been counted since the last ones."""
    if grown.ended:
        yield f"gunicorn.requests:{grown.ended}|c"
    for code, count in grown.by_code().items():
        yield f"gunicorn.request.status.{code}:{count}|c"
    yield from _timer("gunicorn.request.duration", grown.durations)


def _timer(name: str, grown: Histogram) -> Iterator[str]:
    for count, seconds in zip(grown.counts, grown.seconds, strict=True):
        if count:
            rate = "" if count == 1 else f"|@{1 / count:.9g}"
            yield f"{name}:{seconds / count * 1000:.6g}|ms{rate}"


def datagrams(lines: Sequence[str]) -> Iterator[bytes]:
    """Lines, as many in one datagram as go into it."""
    gathered = ""
    for line in lines:
        if gathered and len(gathered) + 1 + len(line) > DATAGRAM_MAX:
            yield gathered.encode("utf-8", "replace")
            gathered = ""
        gathered = f"{gathered}\n{line}" if gathered else line
    if gathered:
        yield gathered.encode("utf-8", "replace")
