"""The commands on click: their options, and their errors as lines on stderr.

What they do is elsewhere: :mod:`quaich.cli.load`, :mod:`quaich.cli.serving`. The options of the
settings are made in :mod:`quaich.cli.options`.
"""

import contextlib
import os
import platform
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, Final

import click

from quaich import __version__
from quaich.cli import options
from quaich.cli.errors import CommandError, ConfigurationError
from quaich.cli.habits import note_on
from quaich.cli.load import load_app
from quaich.settings import SettingError, Settings, Source
from quaich.settings.nearest import nearest
from quaich.types import WSGIApplication

_VERSION_OPTIONS: Final = ("--version", "-V")

_VARIABLES: Final = (
    "A DURATION is a number of seconds, or 500ms, 30s, 5m, 1h; a SIZE a number of bytes, or 64k, "
    "1m, 1g. Each setting may also be a variable, QUAICH_KEEP_ALIVE=5m, or a line in quaich.toml, "
    'keep-alive = "5m".'
)


class _Failure(click.ClickException):
    """A CommandError on its way through click."""

    def __init__(self, error: CommandError) -> None:
        super().__init__(str(error))
        self.exit_code = error.exit_code  # type: ignore[misc]  # click reads the instance's
        self.report = error.report
        self.hint = ""

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(f"{self.report}quaich: {self.message}{self.hint}", file=file, err=True)


@contextlib.contextmanager
def _errors_as_lines() -> Iterator[None]:
    try:
        yield
    except CommandError as error:
        raise _Failure(error) from error
    except SettingError as error:
        raise _Failure(ConfigurationError(str(error))) from error
    except click.UsageError as error:
        raise _usage_failure(error) from error


def _usage_failure(error: click.UsageError) -> _Failure:
    """Click's error as a line like all others."""
    if isinstance(error, click.NoSuchOption):
        note = note_on(error.option_name)
        if note is not None:
            return _Failure(ConfigurationError(f"{error.option_name}: {note}"))
        # The sentence alone: what click suggests stands in parentheses behind it.
        text = error.message.rstrip(".")
    else:
        text = error.format_message().rstrip(".")
    failure = _Failure(ConfigurationError(text[:1].lower() + text[1:]))
    if error.ctx is not None:
        failure.hint = f" (see {error.ctx.command_path} --help)"
    return failure


class _ShortForm(click.Group):
    """``quaich [OPTIONS] APP`` is ``quaich serve [OPTIONS] APP``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        own = {*self.commands, *ctx.help_option_names, *_VERSION_OPTIONS}
        if not args or args == ["help"]:
            args = [*ctx.help_option_names[:1]]
        elif args[0] == "help" and args[1] in self.commands:
            args = [args[1], *ctx.help_option_names[:1]]
        elif args[0] not in own:
            # A command after an option or misspelt is taken for an APP that does not exist.
            meant = next((word for word in args if word in self.commands), None)
            if meant is None and args[0].isidentifier():
                meant = nearest(args[0], self.commands)
            ctx.obj = f" (the command is written: quaich {meant} …)" if meant else ""
            args = ["serve", *args]
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with _errors_as_lines():
                return super().invoke(ctx)
        except _Failure as failure:
            failure.hint = ctx.obj or failure.hint
            raise


def _show_version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value:
        python = f"{platform.python_implementation()} {platform.python_version()}"
        click.echo(f"quaich {__version__} ({python}, {platform.system()})")
        ctx.exit()


@click.group(
    cls=_ShortForm,
    context_settings={"help_option_names": ["--help", "-h"], "max_content_width": 100},
    subcommand_metavar="APP | COMMAND …",
    epilog="Exit codes: 0 a clean stop, 2 a wrong setting, 3 no application to be had, 1 others.",
)
@click.option(
    *_VERSION_OPTIONS,
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_version,
    help="Show the versions of Quaich and of Python.",
)
def quaich() -> None:
    """Quaich serves WSGI applications.

    "quaich APP" is short for "quaich serve APP", and "python -m quaich" for "quaich".

    \b
      quaich shop:app                     serve the object app of the module shop
      quaich -b :9000 'shop:make("de")'   what a function returns, on all interfaces
      quaich -w 4 shop:app                with four workers
      quaich demo                         serve a page to try it out
    """


def _serve(
    words: Source,
    load: Callable[[Settings], WSGIApplication],
    config: str | None,
    check_config: bool,
    print_config: bool,
    check: Callable[[Settings], object] = lambda settings: None,
) -> None:
    """Serve what ``load`` gives. ``check`` raises for settings with which that cannot be had,
    before anything is opened."""
    # Imported here, so that --help need not wait for them.
    from quaich.cli import configuring, serving

    sources = configuring.Sources(words, dict(os.environ), _directory(), config)
    found = sources.read()
    settings = serving.settings_of(*found)
    if print_config:
        click.echo(configuring.printed(found), nl=False)

    def reread() -> Settings:
        return serving.settings_of(*sources.read())

    try:
        if not print_config:
            check(settings)
        if check_config:
            click.echo(configuring.check(settings, lambda: load(settings)), nl=False)
        if not (print_config or check_config):
            serving.serve(load, settings, reread)
    except SettingError as error:
        raise configuring.explained(error, found) from error


def _directory() -> Path:
    try:
        return Path.cwd()
    except FileNotFoundError:  # it has been deleted
        return Path("/")


@quaich.command(cls=options.SettingsCommand, epilog=_VARIABLES)
@click.pass_context
def demo(ctx: click.Context, /, **wishes: Any) -> None:
    """Serve a page that shows its environ, to try things out."""

    def load(settings: Settings) -> WSGIApplication:
        from quaich.simple_server import demo_app

        return demo_app

    _serve(options.given(ctx), load, **wishes)


@quaich.command(cls=options.SettingsCommand, epilog=_VARIABLES)
@click.argument("spec", metavar="APP", required=False)
@click.pass_context
def serve(ctx: click.Context, /, spec: str | None, **wishes: Any) -> None:
    """Serve a WSGI application.

    \b
    APP is one of
      MODULE:NAME           an object in a module: shop.web:app
      MODULE                its "application", or else its "app"
      PATH/FILE.py[:NAME]   the same in a file
      MODULE:NAME(…)        what a function returns; its arguments are literals
    Modules are looked for in the current directory first. Without APP, the setting "app" of a
    file or the variable QUAICH_APP counts.
    """
    words = options.given(ctx, spec)

    def load(settings: Settings) -> WSGIApplication:
        return load_app(_app_of(settings), settings.process.pythonpath)

    _serve(words, load, check=_app_of, **wishes)


def _app_of(settings: Settings) -> str:
    if settings.process.app is None:
        raise ConfigurationError(
            "no application is given: write MODULE:NAME, or app = 'MODULE:NAME' in quaich.toml"
        )
    return settings.process.app


class _GunicornCommand(click.Command):
    """What comes after ``--`` is gunicorn's, its options too."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        own = args[: args.index("--")] if "--" in args else args
        ctx.obj = args[len(own) + 1 :]
        return super().parse_args(ctx, own)


@quaich.command(cls=_GunicornCommand)
@click.argument("file", required=False)
@click.option("--output", "-o", metavar="FILE", help="Write it there, if there is no such file.")
@click.pass_context
def migrate(ctx: click.Context, /, file: str | None, output: str | None) -> None:
    """Print the quaich.toml that is equal to settings of gunicorn.

    \b
      quaich migrate                        gunicorn.conf.py, GUNICORN_CMD_ARGS
      quaich migrate etc/gunicorn.conf.py   this file
      quaich migrate -- -w 4 shop:app       a command line of gunicorn's
      quaich migrate > quaich.toml          then: quaich serve --check-config
    The file is a program, and it is run, as gunicorn does.
    What has no equal is named in comments.
    """
    from quaich.cli import migrating

    text = migrating.migrate(file, ctx.obj, os.environ)
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        with Path(output).open("x", encoding="utf-8") as stream:
            stream.write(text)
    except OSError as error:
        raise ConfigurationError(f"--output {output}: {error.strerror}") from error


def _split(value: str) -> list[str]:
    """The directories in a value; one with a comma in its name stands alone."""
    return [value] if Path(value).is_dir() else [place for place in value.split(",") if place]


@quaich.command(cls=click.Command)
@click.argument("rules", metavar="RULE…", nargs=-1)
@click.option("--all", "all_rules", is_flag=True, help="List all rules, a line each.")
@click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True
)
def explain(rules: tuple[str, ...], all_rules: bool, form: str) -> None:
    """Explain rules of WSGI and HTTP by their numbers.

    \b
      quaich explain A07          what it says, an example, what to do
      quaich explain --all        all of them, a line each
    """
    from quaich.cli import explaining

    click.echo(explaining.explanation(rules, all_rules, form), nl=False)


def _report_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options of what finds something and reports it."""
    for option in (
        click.option("--exit-zero", is_flag=True, help="Exit with 0 whatever was found."),
        click.option("--strict", is_flag=True, help="Exit with 1 for warnings too."),
        click.option("--ignore", metavar="RULES", multiple=True, help="Not these: A22, or S."),
        click.option("--select", metavar="RULES", multiple=True, help="Only these: H, or A05,S1."),
        click.option(
            "--output", "--output-file", "-o", "output", metavar="FILE", help="Write it there."
        ),
        click.option(
            "--format",
            "--output-format",
            "form",
            type=click.Choice(["text", "json", "html", "junit", "github"]),
            default="text",
            show_default=True,
        ),
    ):
        command = option(command)
    return command


@quaich.command(cls=click.Command)
@click.argument("app", metavar="APP")
@click.option(
    "--middleware",
    is_flag=True,
    help="APP is a middleware: what takes an application and returns one (module:factory).",
)
@click.option(
    "--path",
    "paths",
    metavar="PATH",
    multiple=True,
    help='What to ask for, such as "/shop?id=1" or "POST /form a=1"; may be given several times.',
)
@click.option("--openapi", metavar="FILE", help="Ask for what an OpenAPI document describes.")
@click.option(
    "--crawl",
    metavar="N",
    type=click.IntRange(0),
    default=0,
    help="Follow links to N pages more, and ask for each once.",
)
@click.option(
    "--host",
    metavar="HOST[:PORT]",
    default="localhost:8000",
    show_default=True,
    help="What the Host field says; some applications answer for their own hosts only.",
)
@_report_options
@click.option(
    "--pythonpath",
    "--app-dir",
    "directories",
    metavar="DIRS",
    multiple=True,
    help="Directories to import from, before the current one; separated by commas.",
)
def check(app: str, middleware: bool, directories: tuple[str, ...], **wishes: Any) -> None:
    """Check an application, or a middleware, by the rules of WSGI.

    It is called in all the ways that a server may call it: with other methods, without the
    variables that may be absent, by several threads at once, and it is closed early. APP is as for
    "quaich serve".

    Exits with 1 if it finds errors, with 2 or 3 if it could not begin.
    """
    from quaich.cli import checking

    places = tuple(place for value in directories for place in _split(value))
    wish = checking.Wish(app=app, is_middleware=middleware, directories=places, **wishes)
    checking.check(wish, lambda text: click.echo(text, nl=False))


@quaich.command(cls=click.Command)
@click.option(
    "--exec",
    "commands",
    metavar="COMMAND",
    multiple=True,
    help="How to start the server, with {port}, {host} and {app} to be filled in:"
    " 'gunicorn -b 127.0.0.1:{port} {app}'.",
)
@click.option(
    "--preset",
    "presets",
    metavar="NAME",
    multiple=True,
    help="A server that is known: quaich, gunicorn, granian, waitress, uwsgi, cheroot, bjoern,"
    " fastwsgi, wsgiref, werkzeug, gevent.",
)
@click.option("--python", metavar="PATH", help="The Python of the presets; default: this one.")
@click.option("--url", metavar="URL", help="A server that is running, at http://HOST:PORT.")
@click.option(
    "--any-app",
    "any_app",
    is_flag=True,
    help="What is served is not the probe's application: judge by HTTP alone.",
)
@click.option("--compare", is_flag=True, help="Several servers in one table, in Markdown.")
@_report_options
def probe(any_app: bool, **wishes: Any) -> None:
    """Judge a server by the rules of WSGI and HTTP, on the wire.

    It is started with an application of the probe's, and asked one thing for each rule, on fresh
    connections. It is sent what no client should send: probe servers of your own only.

    Exits with 1 if the server breaks rules, with 2 if it could not be told which server.
    """
    from quaich.cli import probing

    def progress(line: str) -> None:
        if sys.stderr.isatty():
            click.echo(f"\r\x1b[K{line}", err=True, nl=False)

    wish = probing.Wish(has_application=not any_app, **wishes)
    probing.probe(wish, lambda text: click.echo(text, nl=False), progress)


@quaich.command(cls=click.Command)
@click.argument("url", required=False)
@click.option("--once", is_flag=True, help="Show it once, with means since the start, and exit.")
@click.option(
    "--interval",
    metavar="SECONDS",
    type=click.FloatRange(min=0.1, max=3600),
    default=2.0,
    show_default=True,
    help="Time between two looks.",
)
def top(url: str | None, once: bool, interval: float) -> None:
    """Watch a server at work, live in the terminal.

    URL is its admin address, http://HOST:PORT or unix:PATH, as --admin-bind was given; if there is
    none, that of the variable QUAICH_ADMIN_BIND. Ctrl-C ends it.

    Exits with 1 if nobody answers there.
    """
    from quaich.cli import top as watching

    where = url or os.environ.get("QUAICH_ADMIN_BIND")
    if not where:
        raise ConfigurationError(
            "say which server: quaich top http://HOST:PORT, the address of its --admin-bind"
        )
    watching.top(where, interval, once=once)
