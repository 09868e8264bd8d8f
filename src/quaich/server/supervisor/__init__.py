"""Worker processes, and the process that looks after them.

    supervise       everything is opened, and then
      supervisor      the loop of the process that forks (Supervisor)
        plan            what it does about the workers: pure decisions (notes: its words)
        signals         what it is told by signals
        workers         the processes of those that serve, and
        children        all that it has forked
        succession      a new program over the same sockets (upgrade)
        reloading       the settings anew, and what of them is fixed
        pages           the process of the pages for an operator
      preloading      what a fork does to an application that was loaded before
      channel         what supervisor and workers say to each other
      worker          the life of a worker
      cpus            how many workers ``auto`` is

Needs fork().
"""

import contextlib
import os
import socket
from collections.abc import Callable

from quaich.server.listeners.listening import address_of, close_listeners
from quaich.server.logs.files import ErrorLog, hand_over
from quaich.server.running import (
    Load,
    announce,
    certificates_of,
    check_files,
    open_all,
    open_pages,
)
from quaich.server.stopping import Stopping
from quaich.server.supervisor import fixed, preloading, upgrade
from quaich.server.supervisor.service import Service
from quaich.server.supervisor.supervisor import Supervisor
from quaich.server.system import process
from quaich.server.system.notify import Notifier
from quaich.server.system.pidfile import PidFile
from quaich.settings import Settings

__all__ = ["supervise"]


def supervise(
    load: Load,
    settings: Settings,
    reread: Callable[[], Settings] | None = None,
    *,
    is_given: bool = False,
) -> None:
    """Serve in workers until a signal. As :func:`quaich.server.running.serve_loaded`, whose errors
    it raises."""
    start = upgrade.Start.of_this_process()
    # First: whoever ends it while it opens things is to leave nothing of them.
    with Stopping() as stopping, contextlib.ExitStack() as stack:
        process.prepare(settings.process)
        check_files(settings)
        owner = process.owner(settings.process)
        hand_over(settings.logs, owner.uid, owner.gid)
        error_log = ErrorLog(settings.logs)
        stack.callback(error_log.close)
        certificates = certificates_of(settings)
        inherited = upgrade.take(os.environ)
        listeners = open_all(settings, owner) if inherited is None else inherited.sockets
        # Until there is a supervisor to close them. Paths of the former program's stay.
        early = stack.enter_context(contextlib.ExitStack())
        if inherited is None:
            early.callback(close_listeners, listeners)
        admin = _open_pages(settings, inherited)
        if admin is not None and (inherited is None or admin is not inherited.admin):
            early.callback(close_listeners, [admin])
        if inherited is not None:
            fixed.warn_of_new_program(inherited.opened_for, settings)
        service = Service(
            load=load,
            settings=settings,
            listeners=listeners,
            error_log=error_log,
            notifier=Notifier.from_environment(),
            start=start,
            pidfile=PidFile(_pidfile(settings, inherited)),
            announce=lambda: announce(
                map(address_of, listeners),
                "http" if settings.tls.certfile is None else "https",
                admin,
            ),
            opened_for=fixed.of_sockets(settings) | (inherited.opened_for if inherited else {}),
            certificates=certificates,
            admin=admin,
            reread=reread,
            inherited=inherited,
            is_preloaded=is_given or settings.workers.preload,
        )
        supervisor = Supervisor(service)
        # It may be another one by then; to close one twice does nothing.
        stack.callback(lambda: service.error_log.close())
        stack.callback(supervisor.close)
        early.pop_all()
        stack.enter_context(service.pidfile)
        if settings.workers.preload and not is_given:
            application = stopping.load(lambda: load(settings))
            if application is None:
                return
            service.load = lambda settings: application
        if service.is_preloaded:
            preloading.warn([*listeners, *([] if admin is None else [admin])])
        supervisor.run(stopping)


def _open_pages(settings: Settings, inherited: "upgrade.Inherited | None") -> socket.socket | None:
    """The listener of the pages: the former program's, if that had one and there are to be any."""
    former = None if inherited is None else inherited.admin
    if former is None:
        return open_pages(settings)
    if settings.admin.admin_bind is None:
        former.close()
        return None
    return former


def _pidfile(settings: Settings, inherited: "upgrade.Inherited | None") -> str | None:
    """While the former program is there, the name is its own, and the new one has another, as
    with gunicorn."""
    path = settings.process.pidfile
    return path if path is None or inherited is None else f"{path}.2"
