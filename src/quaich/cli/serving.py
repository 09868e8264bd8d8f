"""Serving an application from the command line: what is said in one line if it cannot be.

The only module of the commands that knows the server.
"""

from collections.abc import Callable

from quaich.cli.errors import CommandError, ConfigurationError
from quaich.cli.ports import describe_holder
from quaich.server.listeners.listening import CannotListen
from quaich.server.running import serve_loaded, settings_of
from quaich.server.starting import CannotStart
from quaich.settings import Settings
from quaich.types import WSGIApplication

__all__ = ["serve", "settings_of"]


def serve(
    load: Callable[[Settings], WSGIApplication],
    settings: Settings,
    reread: Callable[[], Settings] | None = None,
) -> None:
    """Load the application and serve it until a signal. ``reread`` reads all settings again.

    A SettingError has the name of a setting alone; the command knows who gave it
    (:func:`quaich.cli.configuring.explained`).
    """

    def load_here(settings: Settings) -> WSGIApplication:
        # In a worker the error has to get to the supervisor, which tells it.
        try:
            return load(settings)
        except CommandError as error:
            raise CannotStart(str(error), error.report, error.exit_code) from error

    try:
        serve_loaded(load_here, settings, reread)
    except CannotStart as error:
        raise _NotServed(str(error), error.report, error.exit_code) from error
    except CannotListen as error:
        raise ConfigurationError(_with_holder(error)) from error


class _NotServed(CommandError):
    """What :class:`CannotStart` is to a command."""

    def __init__(self, line: str, report: str, exit_code: int) -> None:
        super().__init__(line, report)
        self.exit_code = exit_code


def _with_holder(error: CannotListen) -> str:
    if not error.is_taken:
        return str(error)
    return f"{error}, {describe_holder(error.host, error.address.port)}"
