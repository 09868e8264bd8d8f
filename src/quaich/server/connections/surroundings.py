"""What connections ask of the loop that has them."""

from typing import TYPE_CHECKING, Protocol

from quaich.exchange.forwarded import Forwarding
from quaich.server.poller import Poller
from quaich.settings import Bodies, Timeouts

if TYPE_CHECKING:
    from quaich.server.connections.connection import Connection


class LoopSide(Protocol):
    """The loop, as a connection sees it."""

    poller: Poller
    bodies: Bodies
    timeouts: Timeouts
    forwarding: Forwarding

    def origin_fields(self, date: bool, server: bool, /) -> str:
        """Date and Server, as far as they are asked for (quaich.server.clock)."""

    def is_watched(self, connection: "Connection", /) -> bool:
        """Whether the calling thread answers it as the leader, and a watcher looks out."""

    def about_to_wait(self) -> bool:
        """The calling thread is about to wait for its peer; whether another thread leads."""
