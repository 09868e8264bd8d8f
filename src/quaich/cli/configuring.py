"""Where a command has its settings from, and what it can say of them without serving.

    Sources             command line, variables, file: read at the start, and again for a reload
    directory           where a file of settings is looked for
    app_of              the APP of the settings
    printed             --print-config
    check               --check-config
    prepare             what is set before an application is loaded
    explained           an error, with who gave the setting

Serving is elsewhere: :mod:`quaich.cli.serving`.
"""

from collections import ChainMap
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from quaich.cli.errors import ConfigurationError
from quaich.settings import TABLE, SettingError, Settings, Source, from_environment
from quaich.settings.declare import PREFIX
from quaich.settings.files import find_file, from_file
from quaich.settings.sources import CONFIG_VARIABLE
from quaich.settings.writing import format_settings
from quaich.types import WSGIApplication

_HEAD: Final = "# This is a valid quaich.toml; behind each setting stands where it is from.\n\n"


@dataclass
class Sources:
    """The sources of a command's settings, of which the first that has a setting counts.

    The words, the variables, the directory and the file are those of the start: a process that has
    changed its directory and its environment reads the same file again, and no variables of its
    own. If that file is not there any more, none takes its place; where there was none, one may
    come.
    """

    words: Source  # of the command line
    environ: Mapping[str, str]
    directory: Path
    file: str | None = None  # that --config names
    _found: Path | None = field(init=False, default=None)

    def read(self) -> list[Source]:
        """All of them, the first one first; SettingError if something is wrong in one."""
        variables = from_environment(self.environ)
        named = self.file or self.environ.get(CONFIG_VARIABLE)
        if named:
            return [self.words, variables, from_file(self.directory / named, named)]
        found = self._found = self._found or find_file(self.directory)
        file = {} if found is None else from_file(found, found.name)
        return [self.words, variables, file]


def directory() -> Path:
    """The current one, where a file of settings is looked for."""
    from quaich.server.system.directory import working_directory

    return Path(working_directory())


def app_of(settings: Settings) -> str:
    """The APP of the settings; ConfigurationError if there is none."""
    if settings.process.app is None:
        raise ConfigurationError(
            "no application is given: write MODULE:NAME, or app = 'MODULE:NAME' in quaich.toml"
        )
    return settings.process.app


def printed(sources: Iterable[Source]) -> str:
    """The settings that sources say, as a file of settings."""
    return _HEAD + format_settings(*sources)


def explained(error: SettingError, sources: Iterable[Source]) -> ConfigurationError:
    """An error that has the name of a setting alone, as what has been used shows, with who gave
    the setting; the value is in the reason."""
    setting = TABLE.get(error.given)
    if setting is None:
        return ConfigurationError(str(error))
    given = ChainMap(*(dict(source) for source in sources)).get(setting.name)
    origin = setting.flag if given is None or not given.origin else given.origin
    if not origin.startswith(("-", PREFIX)):
        origin = f"{origin}: {setting.key}"
    return ConfigurationError(f"{origin}: {error.reason}")


def prepare(settings: Settings) -> None:
    """Set the variables, the directory and the like that the application is to find. SettingError
    with the name of the setting."""
    from quaich.server.system import process

    process.prepare(settings.process)


def check(settings: Settings, load: Callable[[], WSGIApplication]) -> str:
    """Do what is done before anything is opened, and load certificates and application; what to
    say then. SettingError with the name of the setting, or LoadError, if it cannot be done."""
    from quaich.server.logs.files import check_files_of
    from quaich.server.running import certificates_of, check_files, check_workers
    from quaich.server.supervisor.service import worker_count

    check_workers(settings)
    if settings.workers.workers:
        worker_count(settings)
    check_files_of(settings.logs)
    certificates_of(settings)
    prepare(settings)
    check_files(settings)
    load()
    return "The settings are right, and the application can be loaded.\n"
