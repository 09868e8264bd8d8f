"""The command line as a whole: its first word, and its errors as lines on stderr.

ShortForm           ``quaich APP`` is ``quaich serve APP``; a first word that is neither a
                    command nor an APP is told from both
errors_as_lines     what goes wrong in a command, as click shows it: one line, an exit code
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any, Final

import click

from quaich.cli.errors import CommandError, ConfigurationError
from quaich.cli.hints import nowhere
from quaich.settings import SettingError
from quaich.settings.nearest import nearest

VERSION_OPTIONS: Final = ("--version", "-V")


class TooManyWords(ConfigurationError):
    """There is more than one APP."""


class Failure(click.ClickException):
    """A CommandError on its way through click."""

    def __init__(self, error: CommandError) -> None:
        super().__init__(str(error))
        self.error = error
        self.line = str(error)
        self.exit_code = error.exit_code  # type: ignore[misc]  # click reads the instance's
        self.hint = ""

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(f"{self.error.report}quaich: {self.line}{self.hint}", file=file, err=True)


@contextlib.contextmanager
def errors_as_lines() -> Iterator[None]:
    """Make a :class:`Failure` of what goes wrong meanwhile."""
    try:
        yield
    except CommandError as error:
        raise Failure(error) from error
    except SettingError as error:
        raise Failure(ConfigurationError(str(error))) from error
    except click.UsageError as error:
        raise _usage_failure(error) from error


def _usage_failure(error: click.UsageError) -> Failure:
    """Click's error as a line like all others."""
    if isinstance(error, click.NoSuchOption):
        from quaich.settings.habits import note_on  # of no use as long as no option is wrong

        note = note_on(error.option_name, lambda setting: setting.flag)
        if note is not None:
            return Failure(ConfigurationError(f"{error.option_name}: {note}"))
        # Ours: which options there are, click does not always know (those of other names), and
        # not all of its versions suggest one.
        meant = _option_meant(error)
        text = f"no such option {error.option_name!r}{f'; did you mean {meant}?' if meant else ''}"
    else:
        text = error.format_message().rstrip(".")
    failure = Failure(ConfigurationError(text[:1].lower() + text[1:]))
    if error.ctx is not None:
        failure.hint = f" (see {error.ctx.command_path} --help)"
    return failure


def _option_meant(error: click.NoSuchOption) -> str | None:
    if error.ctx is None or not error.option_name.startswith("--"):
        return None
    names = [
        name
        for param in error.ctx.command.get_params(error.ctx)
        if isinstance(param, click.Option)
        for name in (*param.opts, *param.secondary_opts)
        if name.startswith("--")
    ]
    # Without the hyphens, which would make all of them alike.
    meant = nearest(error.option_name[2:], [name[2:] for name in names])
    return f"--{meant}" if meant else None


@dataclass(frozen=True)
class _Taken:
    """A first word that is no command, and has been taken for an APP or for an option of serve."""

    word: str
    command: str | None = None  # one that stands further behind
    meant: str | None = None  # one that the word is like

    def explain(self, failure: Failure) -> None:
        """Say what else may be wrong than what has failed."""
        if self.command is not None:
            failure.hint = f" (the command is written: quaich {self.command} …)"
        elif not self.word.isidentifier():
            return
        elif isinstance(failure.error, TooManyWords):
            if self.meant is None:
                failure.hint = f", and there is no command {self.word!r} (see quaich --help)"
            else:
                failure.line, failure.hint = self._no_such_command(), ""
        elif self.meant is not None:
            failure.hint = f" ({self._no_such_command()})"
        elif f"{nowhere(self.word)} (looked in " in failure.line:  # in a worker, perhaps
            failure.hint = ", nor is there such a command (see quaich --help)"

    def _no_such_command(self) -> str:
        return f"there is no command {self.word!r}; did you mean {self.meant}?"


class ShortForm(click.Group):
    """``quaich [OPTIONS] APP`` is ``quaich serve [OPTIONS] APP``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        own = {*self.commands, *ctx.help_option_names, *VERSION_OPTIONS}
        if not args or args == ["help"]:
            args = [*ctx.help_option_names[:1]]
        elif args[0] == "help" and args[1] in self.commands:
            args = [args[1], *ctx.help_option_names[:1]]
        elif args[0] not in own:
            # A command after an option or misspelt is taken for an APP that does not exist.
            command = next((word for word in args if word in self.commands), None)
            meant = nearest(args[0], self.commands) if args[0].isidentifier() else None
            ctx.obj = _Taken(args[0], command, meant)
            args = ["serve", *args]
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with errors_as_lines():
                return super().invoke(ctx)
        except Failure as failure:
            if isinstance(ctx.obj, _Taken):
                ctx.obj.explain(failure)
            raise
