"""The commands on click, and their options.

What they do is elsewhere: :mod:`quaich.cli.load`, :mod:`quaich.cli.serving`. The options of the
settings are made in :mod:`quaich.cli.options`; what becomes of the first word, and of errors, is in
:mod:`quaich.cli.short_form`.
"""

import os
import platform
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click

from quaich import __version__
from quaich.cli import options
from quaich.cli.errors import ConfigurationError
from quaich.cli.load import load_app
from quaich.cli.short_form import VERSION_OPTIONS, ShortForm, TooManyWords
from quaich.settings import SettingError, Settings, Source
from quaich.settings.kinds import duration, whole_number
from quaich.types import WSGIApplication

_VARIABLES: Final = (
    "A DURATION is a number of seconds, or 500ms, 30s, 5m, 1h; a SIZE a number of bytes, or 64k, "
    "1m, 1g. Each setting may also be a variable, QUAICH_KEEP_ALIVE=5m, or a line in quaich.toml, "
    'keep-alive = "5m".'
)


def _show_version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value:
        python = f"{platform.python_implementation()} {platform.python_version()}"
        click.echo(f"quaich {__version__} ({python}, {platform.system()})")
        ctx.exit()


@click.group(
    cls=ShortForm,
    context_settings={"help_option_names": ["--help", "-h"], "max_content_width": 100},
    subcommand_metavar="APP | COMMAND …",
    epilog="Exit codes: 0 a clean stop, 2 a wrong setting, 3 no application to be had, 1 others.",
)
@click.option(
    *VERSION_OPTIONS,
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

    sources = configuring.Sources(words, dict(os.environ), configuring.directory(), config)
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


@quaich.command(cls=options.SettingsCommand, without=("app",), epilog=_VARIABLES)
@click.pass_context
def demo(ctx: click.Context, /, **wishes: Any) -> None:
    """Serve a page that shows its environ, to try things out."""

    def load(settings: Settings) -> WSGIApplication:
        from quaich.simple_server import demo_app

        return demo_app

    _serve(options.given(ctx), load, **wishes)


@quaich.command(
    cls=options.SettingsCommand,
    epilog=_VARIABLES,
    context_settings={"allow_extra_args": True},  # to be refused with words of our own
)
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
    if ctx.args:
        raise TooManyWords(f"got unexpected extra argument ({' '.join(ctx.args)})")
    from quaich.cli.configuring import app_of

    words = options.given(ctx, spec)

    def load(settings: Settings) -> WSGIApplication:
        return load_app(app_of(settings), settings.process.pythonpath)

    _serve(words, load, check=app_of, **wishes)


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
    except FileExistsError as error:
        raise ConfigurationError(
            f"--output {output}: it is there already; remove it, or give another name"
        ) from error
    except OSError as error:
        raise ConfigurationError(f"--output {output}: {error.strerror}") from error


class _Value(click.ParamType):  # type: ignore[type-arg]  # only of newer versions of click
    """A value that is written as those of settings are. ``parse`` is as that of their kinds."""

    name = "value"

    def __init__(self, parse: Callable[[object], Any]) -> None:
        self.parse = parse

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return self.parse(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


def _parse_interval(value: object) -> float:
    seconds = duration().parse(value)
    if seconds < 0.1:
        raise ValueError("it takes 100ms or more")
    return seconds


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

    # A program that reads it wants a line for each rule.
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    click.echo(explaining.explanation(rules, all_rules, form, width), nl=False)


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
@click.argument("app", metavar="[APP]", required=False)
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
    type=_Value(whole_number(0).parse),
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
def check(app: str | None, middleware: bool, directories: tuple[str, ...], **wishes: Any) -> None:
    """Check an application, or a middleware, by the rules of WSGI.

    It is called in all the ways that a server may call it: with other methods, without the
    variables that may be absent, by several threads at once, and it is closed early. APP is as for
    "quaich serve"; without it, the application of quaich.toml is checked, with the variables and
    directories that stand there.

    Exits with 1 if it finds errors, with 2 or 3 if it could not begin.
    """
    from quaich.cli import checking

    places = tuple(place for value in directories for place in _split(value))
    wish = checking.Wish(app=app or "", is_middleware=middleware, directories=places, **wishes)
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

    Exits with 1 if the server breaks rules, with 2 if it could not begin: no such server, or none
    that answers.
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
    metavar="DURATION",
    type=_Value(_parse_interval),
    default=2.0,
    help="Time between two looks (default 2s).",
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
