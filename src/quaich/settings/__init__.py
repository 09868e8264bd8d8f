"""The settings of the server: one table, and all that is derived from it.

    kinds       how values are written: sizes, durations, choices …
    declare     what is said about a setting
    groups      the table: a dataclass for each group; operations has those about running
    together    which setting needs another one
    sources     keyword arguments, variables, and which of them counts
    files       quaich.toml, and [tool.quaich] of pyproject.toml
    writing     settings as such a file
    habits      what other servers call a setting; gunicorn has all of gunicorn's
    page        the page of the reference

Knows nothing of who uses a setting.
"""

from quaich.settings.address import Address, parse_address
from quaich.settings.declare import Setting
from quaich.settings.groups import (
    GROUPS,
    TABLE,
    Bodies,
    Concurrency,
    Environ,
    HeaderMap,
    Limits,
    Listen,
    LogLevel,
    Logs,
    Poller,
    Settings,
    Timeouts,
)
from quaich.settings.operations import (
    Admin,
    Deadlines,
    Files,
    Process,
    Proxies,
    Tls,
    Workers,
)
from quaich.settings.sources import (
    Given,
    SettingError,
    Source,
    UnknownSetting,
    from_environment,
    from_keywords,
    merge,
)

__all__ = [
    "GROUPS",
    "TABLE",
    "Address",
    "Admin",
    "Bodies",
    "Concurrency",
    "Deadlines",
    "Environ",
    "Files",
    "Given",
    "HeaderMap",
    "Limits",
    "Listen",
    "LogLevel",
    "Logs",
    "Poller",
    "Process",
    "Proxies",
    "Setting",
    "SettingError",
    "Settings",
    "Source",
    "Timeouts",
    "Tls",
    "UnknownSetting",
    "Workers",
    "from_environment",
    "from_keywords",
    "merge",
    "parse_address",
    "settings",
]


def settings(**keywords: object) -> Settings:
    """The settings that keyword arguments say, with defaults for the rest."""
    return merge(from_keywords(keywords))
