"""The process of the pages for an operator (``--admin-bind``), beside the workers."""

import os
import signal
from dataclasses import replace
from time import monotonic
from typing import Final

from quaich.exchange.log import SafeLogger
from quaich.server.figures.board import Board
from quaich.server.listeners.listening import address_of
from quaich.server.supervisor.children import Child, Children, how, wait_for
from quaich.server.supervisor.service import Service
from quaich.server.system.process import drop_privileges
from quaich.settings import Settings

logger = SafeLogger("quaich.error")

_PAUSE: Final = 1.0  # seconds between two starts
_PATIENCE: Final = 2.0  # seconds that it has to end


class Pages:
    """Started with the workers, started again should it end, and the last to end: so it can tell
    of the end of the others."""

    def __init__(self, service: Service, children: Children, board: Board) -> None:
        self._service = service
        self._children = children
        self._board = board
        self._child: Child | None = None
        self._is_told = False  # to end
        self._not_before = 0.0
        self._made_with = _told(service.settings)
        self._addresses = tuple(str(address_of(each)) for each in service.listeners)

    def see_to(self, now: float, *, is_wanted: bool) -> None:
        """Start it, if it is to be there and is not; end it, if it is not ``is_wanted``, or was
        made with other settings than those that count by now."""
        if is_wanted and self._child is None:
            self._maybe_start(now)
        elif not is_wanted or _told(self._service.settings) != self._made_with:
            self._tell_to_end()

    def _tell_to_end(self) -> None:
        if self._child is not None and not self._is_told:
            self._is_told = True
            self._child.send_signal(signal.SIGTERM)

    def reopen(self) -> None:
        """It is to open the error log anew."""
        if self._child is not None:
            self._child.send_signal(signal.SIGUSR1)

    def kill(self) -> None:
        """It does not go on."""
        if self._child is not None:
            self._child.send_signal(signal.SIGKILL)

    def _maybe_start(self, now: float) -> None:
        listener = self._service.admin
        if listener is None or now < self._not_before:
            return
        self._not_before = now + _PAUSE
        parent = os.getpid()
        service = self._service
        self._made_with = _told(service.settings)

        def run() -> int:
            from quaich.server import admin  # of no use where nobody asks for pages

            # While it has these, there would be somebody to connect to after the last worker.
            for each in service.listeners:
                each.close()
            # What it answers comes from anybody who can reach it: so not as root.
            drop_privileges(service.settings.process)
            service.set_title("admin")
            facts = replace(admin.facts_of(service.settings), addresses=self._addresses)
            log = service.error_log
            admin.run(
                self._board, listener, service.settings, facts, parent=parent, reopen=log.reopen
            )
            return 0

        try:
            self._child = self._children.fork(run)
        except OSError as error:
            logger.error("no pages for an operator: the system does not fork: %s", error)

    def is_child(self, child: Child) -> bool:
        return child is self._child

    def ended(self, status: int) -> None:
        """It has ended, whether it was told to or not."""
        self._child = None
        if self._is_told or status == 0:
            # Nothing, if the whole group of processes has been told to end.
            self._is_told = False
            return
        logger.error("the process of admin_bind %s; another one takes its place", how(status))

    def end(self) -> None:
        """Let it end, and wait for that."""
        if self._child is None:
            return
        self._child.send_signal(signal.SIGTERM)
        deadline = monotonic() + _PATIENCE
        while not wait_for(self._child.pid)[0]:
            if monotonic() > deadline:
                self._child.send_signal(signal.SIGKILL)
            self._children.wait(0.01)
        self._child = None


def _told(settings: Settings) -> tuple[object, ...]:
    """What it is told of the settings."""
    process = settings.process
    return settings.logs, process.user, process.group, process.name
