"""A reload: settings that are read anew, for the workers that take the place of those there are.

Reloading.begin       SIGHUP: what can be wrong is found before any worker is touched
Reloading.give_up     the new workers do not come to serve: all is as it was
Reloading.has_ended   all workers are new ones
"""

from math import inf
from typing import TYPE_CHECKING, Final, NamedTuple

from quaich.exchange.log import SafeLogger
from quaich.server.logs.files import ErrorLog, hand_over
from quaich.server.running import QUICK, certificates_of, check_files
from quaich.server.starting import CannotStart
from quaich.server.supervisor import fixed
from quaich.server.supervisor.notes import Limits
from quaich.server.supervisor.plan import Crowd
from quaich.server.supervisor.service import Service, worker_count
from quaich.server.system import process
from quaich.settings import SettingError, Settings, Tls

if TYPE_CHECKING:
    from quaich.server.tls.certificates import Certificates

logger = SafeLogger("quaich.error")

SILENCE: Final = 60.0
"""Seconds without a sign of life after which a worker hangs, where no `timeout` is set. A thread
that is inside the application does not keep it from that, unless it holds the GIL."""

GRACE: Final = 10.0  # seconds more than `timeout`, where that is set

ADHOC: Final = "adhoc"  # as quaich.server.tls.certificates has it, which loads OpenSSL

_MARGIN: Final = 1.0  # seconds that a worker has more than it knows, until it is killed


class Made(NamedTuple):
    """What workers are made with."""

    settings: Settings
    certificates: "Certificates | None"


class Reloading:
    """See the module. What the crowd's limits are, is decided here too: by the settings."""

    def __init__(self, service: Service, crowd: Crowd) -> None:
        self._service = service
        self._crowd = crowd
        self._fixed = service.settings  # of which some count as long as there is this process
        self._adhoc: dict[Tls, Certificates] = {}
        if service.settings.tls.certfile == ADHOC and service.certificates is not None:
            self._adhoc[service.settings.tls] = service.certificates
        # What workers that are there were made with, by generation, for when a reload fails.
        self._made_with: dict[int, Made] = {}
        self._is_on = False
        crowd.limits = _limits(service.settings)

    def begin(self) -> None:
        """Read the settings anew and let the workers be replaced; or say why not."""
        service = self._service
        service.notifier.reloading()
        former = Made(service.settings, service.certificates)
        try:
            if service.reread is not None:
                settings = service.reread()
                process.prepare(settings.process)
                check_files(settings)
                self._take(settings)
                fixed.warn_of_reload(service.opened_for, self._fixed, settings)
        except Exception as error:
            # Mostly a SettingError; files may be wrong in other ways, and this process goes on.
            self._take_back(former)
            why = error if isinstance(error, SettingError) else f"{type(error).__name__}: {error}"
            logger.error("NOT RELOADED: %s; all goes on as before", why)
            service.notifier.ready("not reloaded")
            return
        logger.info("SIGHUP: reloading")
        if service.is_preloaded:
            logger.warning(
                "the application was loaded before the workers were made, so its code cannot be "
                "loaded anew: the new workers have the former one. SIGUSR2 starts a new program"
            )
        self._is_on = True
        crowd = self._crowd
        self._made_with[crowd.generation] = former
        crowd.reload(worker_count(service.settings))

    def give_up(self, failure: CannotStart) -> None:
        """The first of the new workers has failed: those that are started from now on are to be
        like those that serve, and like the newest of them."""
        crowd = self._crowd
        count = crowd.give_up_reload()
        self._is_on = crowd.is_reloading
        self._take_back(self._made_with[crowd.generation])
        logger.error(
            "NOT RELOADED: %s; %s with the former application go%s on%s%s",
            failure,
            _workers(count),
            "es" if count == 1 else "",
            f"; to replace {_workers(crowd.older)} of before that one is tried again and again"
            if crowd.older
            else "",
            f"\n{failure.report.rstrip()}" if failure.report else "",
        )
        self._service.notifier.ready("not reloaded")

    def has_ended(self) -> bool:
        """Whether the last of the former workers has been replaced since this was asked last."""
        if not self._is_on or self._crowd.is_reloading:
            return False
        self._is_on = False
        self._made_with.clear()
        logger.info("reloaded: all workers are new ones")
        return True

    def _take(self, settings: Settings, certificates: "Certificates | None" = None) -> None:
        """Settings that were read anew: for the workers that are started from now on.
        ``certificates``: if they were loaded before."""
        worker_count(settings)
        service = self._service
        former = service.settings
        if certificates is None:
            certificates = self._certificates_of(settings)
        if settings.logs != former.logs:
            owner = process.owner(settings.process)
            hand_over(settings.logs, owner.uid, owner.gid)
            log = ErrorLog(settings.logs)
            service.error_log.close()
            service.error_log = log
        service.certificates = certificates
        service.settings = settings
        self._crowd.limits = _limits(settings)

    def _certificates_of(self, settings: Settings) -> "Certificates | None":
        """As of :func:`certificates_of`; but of what was made here, there is one."""
        if settings.tls.certfile != ADHOC:
            return certificates_of(settings)
        found = self._adhoc.get(settings.tls)
        if found is None:
            found = certificates_of(settings)
            if found is not None:
                self._adhoc[settings.tls] = found
        return found

    def _take_back(self, former: Made) -> None:
        service = self._service
        settings, certificates = former
        try:
            process.prepare(settings.process)
            if settings is not service.settings:
                self._take(settings, certificates)
        except Exception as error:
            # A file of theirs is no more, perhaps.
            logger.error("the former settings are not all to be had any more: %s", error)
            service.settings = settings
        service.certificates = certificates


def _workers(count: int) -> str:
    return f"{count} worker{'' if count == 1 else 's'}"


def _limits(settings: Settings) -> Limits:
    timeout = settings.deadlines.timeout
    return Limits(
        memory=settings.workers.max_worker_memory or inf,
        silence=timeout + GRACE if timeout else SILENCE,
        graceful=settings.timeouts.graceful_timeout + _MARGIN,
        quick=QUICK + _MARGIN,
    )
