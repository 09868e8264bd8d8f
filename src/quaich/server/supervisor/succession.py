"""Two programs over the same sockets: the one that was there, and the one that takes over
(SIGUSR2). Each of them has one of these."""

import os
from collections.abc import Iterable
from socket import socket

from quaich.exchange.log import SafeLogger
from quaich.server.listeners.listening import close_listeners
from quaich.server.supervisor import upgrade
from quaich.server.supervisor.children import Child, Children, how
from quaich.server.supervisor.service import Service

logger = SafeLogger("quaich.error")


class Succession:
    """Who was before, and who comes after."""

    def __init__(self, service: Service, children: Children) -> None:
        self._service = service
        self._children = children
        self._successor: Child | None = None
        self._is_main = service.inherited is None  # to the service manager

    @property
    def is_shared(self) -> bool:
        """Whether another program has the same sockets, and goes on if this one ends."""
        former = self._service.inherited
        return self._successor is not None or (former is not None and former.former_is_alive())

    @property
    def has_successor(self) -> bool:
        return self._successor is not None

    def start(self) -> None:
        """Start the program anew, beside this one."""
        service = self._service
        self.maybe_inherit()
        if self._successor is not None:
            logger.warning("SIGUSR2: the new program %d is there already", self._successor.pid)
            return
        if service.inherited is not None:
            former = service.inherited.former
            logger.warning("SIGUSR2: the former program %d is still there; end it first", former)
            return

        def run() -> int:
            try:
                upgrade.become(service.start, service.listeners, service.admin, service.opened_for)
            except OSError as error:
                logger.error("SIGUSR2: the new program cannot be started: %s", error)
            return 1

        if os.getpid() == 1:
            logger.warning(
                "SIGUSR2: this is process 1 of a container, whose end is the end of all in it, the "
                "new program too; SIGWINCH ends its workers alone"
            )
        try:
            self._successor = self._children.fork(run)
        except OSError as error:
            logger.error("SIGUSR2: the system does not fork: %s", error)
            return
        logger.info(
            "SIGUSR2: the new program is %d; SIGTERM to %d ends the old one",
            self._successor.pid,
            os.getpid(),
        )

    def is_child(self, child: Child) -> bool:
        return child is self._successor

    def ended(self, status: int) -> None:
        """The new program has ended before this one."""
        self._successor = None
        logger.error("the new program %s; this one goes on", how(status))
        self._service.notifier.main_pid(os.getpid())

    def claim(self) -> None:
        """Tell the service manager that this is the main process; once is enough."""
        if not self._is_main:
            self._is_main = True
            self._service.notifier.main_pid(os.getpid())

    def maybe_inherit(self) -> None:
        """If the former program has ended, its pidfile is this one's."""
        service = self._service
        former = service.inherited
        if former is None or former.former_is_alive():
            return
        service.inherited = None
        logger.info("the former program %d has ended", former.former)
        self.claim()
        path = service.settings.process.pidfile
        if path is not None:
            try:
                service.pidfile.rename(path)
            except OSError as error:
                logger.error("the pidfile cannot be renamed: %s", error)

    def close(self, sockets: Iterable[socket]) -> None:
        """Close the sockets, and remove what they have left, unless another program goes on with
        them."""
        if not self.is_shared:
            close_listeners(sockets)
            return
        for each in sockets:
            each.close()
