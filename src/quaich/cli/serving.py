"""Serving an application from the command line: what is said in one line if it cannot be.

The only module of the commands that knows the server.
"""

from collections.abc import Callable

from quaich.cli.errors import ConfigurationError
from quaich.cli.ports import describe_holder
from quaich.server.listening import CannotListen
from quaich.server.running import Stopping, serve_until, settings_of
from quaich.settings import TABLE, SettingError, Settings
from quaich.types import WSGIApplication

__all__ = ["serve", "settings_of"]


def serve(load: Callable[[], WSGIApplication], settings: Settings) -> None:
    """Load the application and serve it until SIGTERM or SIGINT."""
    with Stopping() as stopping:
        try:
            with stopping.interrupting():
                application = load()
        except KeyboardInterrupt:
            if not stopping.is_noted:
                raise  # the application's own
        if stopping.is_noted:
            return
        try:
            serve_until(stopping, application, settings)
        except SettingError as error:
            # By now it is the name of the setting alone; the value is in the reason.
            raise ConfigurationError(f"{TABLE[error.given].flag}: {error.reason}") from error
        except CannotListen as error:
            raise ConfigurationError(_with_holder(error)) from error


def _with_holder(error: CannotListen) -> str:
    if not error.is_taken:
        return str(error)
    return f"{error}, {describe_holder(error.host, error.address.port)}"
