"""APP: what it loads, and the one line about what it cannot load."""

import contextlib
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from quaich.cli.errors import LoadError
from quaich.cli.load import NOTE_DELAY, load_app

ENVIRON: dict[str, Any] = {}


def run(application: Any) -> bytes:
    return b"".join(application(ENVIRON, lambda status, headers: None))


@pytest.mark.parametrize(
    "app",
    [
        "shop",
        "shop:app",
        "shop: app",
        "shop:Holder.application",
        "shop:create_app()",
        "shop:make('x')",
        "shop:make('x:y', debug=True)",
        "shop:Site()",
        "shop.py",
        "./shop.py:app",
        "shop.py:make([1, {'a': None}])",
        "my-app.py",
        "types/types.py",
        "src/hidden.py:app",
        "package.web",
        "package/web.py",
        "package.inner:app",
        "directory.web",
        "both",
    ],
)
def test_loads(project: Path, app: str) -> None:
    assert run(load_app(app)) == b"shop"


@pytest.mark.parametrize("app", ["shop:Response", "shop:Unsure"])
def test_a_class_may_be_an_application(project: Path, app: str) -> None:
    """PEP 3333 allows a class whose instances are the response."""
    assert isinstance(load_app(app), type)


def test_an_absolute_path_needs_no_current_directory(
    project: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert run(load_app(f"{project}/package/web.py")) == b"shop"


def test_a_drive_is_no_module(project: Path) -> None:
    """The first colon of a Windows path belongs to the path."""
    (project / "C:\\shop.py").write_text("from shop import app\n")
    assert run(load_app("C:\\shop.py:app")) == b"shop"


def test_directories_come_before_the_current_one(project: Path) -> None:
    assert run(load_app("hidden", ["types", "src"])) == b"shop"
    assert sys.path[:3] == [str(project / "types"), str(project / "src"), str(project)]


def test_a_file_keeps_the_name_its_neighbours_import_it_by(project: Path) -> None:
    assert load_app("shop.py") is load_app("shop")


def test_a_file_whose_name_is_taken_does_not_replace_the_other(project: Path) -> None:
    import types

    load_app("types/types.py")
    assert sys.modules["types"] is types


def test_a_file_that_fails_is_not_kept(project: Path) -> None:
    before = {*sys.modules}
    (project / "types" / "types.py").write_text("1 / 0\n")
    with pytest.raises(LoadError, match=r"the import of types/types\.py failed: ZeroDivisionE"):
        load_app("types/types.py")
    assert {*sys.modules} == before


def test_a_file_called_main(project: Path) -> None:
    """``__main__`` is there already, and is not the file."""
    (project / "__main__.py").write_text("from shop import app\n")
    assert run(load_app("__main__.py")) == b"shop"


def test_a_deleted_directory(
    project: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path_factory.mktemp("gone")
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert run(load_app("shop", [str(project)])) == b"shop"


FORMS = "after the colon comes a name, NAME.NAME, or a call with literal arguments"
WANTED = "a WSGI application takes environ and start_response"


@pytest.mark.parametrize(
    ("app", "reason"),
    [
        # The text of APP.
        ("", "'' is no module name"),
        (":app", "'' is no module name"),
        ("a b", "'a b' is no module name"),
        ("my-app:app", "'my-app' is no module name; did you mean 'my-app.py:app'?"),
        ("my-app", "'my-app' is no module name; did you mean 'my-app.py'?"),
        ("shop:", FORMS),
        ("shop:app[0]", FORMS),
        ("shop:1", FORMS),
        ("shop:a b", FORMS),
        ("shop:make(**{'name': 1})", FORMS),
        ("shop:make()()", FORMS),
        ("shop:make(x)", "the arguments in 'make(x)' are not all literals"),
        ("shop:make(*[1])", "the arguments in 'make(*[1])' are not all literals"),
        # Files.
        (".", "'.' is a directory; APP is a module, or a file that ends in .py"),
        ("package/", "'package' is a directory; APP is a module, or a file that ends in .py"),
        ("./text.txt", "'text.txt' does not end in .py"),
        ("shp.py", "there is no file 'shp.py'; did you mean 'shop.py'?"),
        ("package/wbe.py", "there is no file 'package/wbe.py'; did you mean 'package/web.py'?"),
        ("./shop:app", "there is no file 'shop'; did you mean 'shop.py'?"),
        ("unlike_all.py", "there is no file 'unlike_all.py'"),
        ("nowhere/web.py", "there is no directory 'nowhere'"),
        # Modules.
        ("shpo:app", "there is no module 'shpo'; did you mean 'shop'?"),
        ("Shop", "there is no module 'Shop'; did you mean 'shop'?"),
        ("pakcage.web:app", "there is no module 'pakcage'; did you mean 'package.web'?"),
        ("hidden:app", "there is no module 'hidden' here, but in src/; try --app-dir src"),
        ("package.wbe", "package 'package' has no module 'wbe'; did you mean 'web'?"),
        (
            "shop.create",
            "'shop' is a module, not a package, so there is no module 'shop.create'; "
            "did you mean 'shop:create_app'?",
        ),
        (
            "shop.zzz",
            "'shop' is a module, not a package, so there is no module 'shop.zzz'",
        ),
        # Names.
        ("shop:ap", "module 'shop' (shop.py) has no 'ap'; did you mean 'app'?"),
        (
            "factory:zzz",
            "module 'factory' (factory.py) has no 'zzz'; it has create(); "
            "did you mean 'factory:create()'?",
        ),
        (
            "site_only.py:application",
            "module 'site_only' (site_only.py) has no 'application'; it has wsgi, create(), "
            "helper; did you mean 'site_only.py:wsgi'?",
        ),
        ("shop:Holder.zzz", "'Holder' has no 'zzz'"),
        ("shop.py:ap", "module 'shop' (shop.py) has no 'ap'; did you mean 'app'?"),
        ("empty:zzz", "module 'empty' (empty.py) has no 'zzz'; nothing in it can be called"),
        (
            "directory:zzz",
            "module 'directory' (a directory) has no 'zzz'; its modules are directory.web",
        ),
        (
            "shop:Holder.aplication",
            "'Holder' has no 'aplication'; did you mean 'application'?",
        ),
        (
            "package:web",
            "module 'package' (package/__init__.py) has no 'web', but a module of that name; "
            "did you mean 'package.web'?",
        ),
        (
            "package:web.application",
            "module 'package' (package/__init__.py) has no 'web', but a module of that name; "
            "did you mean 'package.web:application'?",
        ),
        (
            "site_only",
            "module 'site_only' (site_only.py) has neither 'application' nor 'app'; "
            "it has wsgi, create(), helper; did you mean 'site_only:wsgi'?",
        ),
        (
            "factory.py",
            "module 'factory' (factory.py) has neither 'application' nor 'app'; "
            "it has create(); did you mean 'factory.py:create()'?",
        ),
        (
            "functions",
            "module 'functions' (functions.py) has neither 'application' nor 'app'; "
            "it has f0, f1, f2, f3, f4, f5 and 2 more",
        ),
        (
            "flaskr",
            "module 'flaskr' (flaskr.py) has neither 'application' nor 'app'; "
            "it has add, connect(), create_app(), Proxy; did you mean 'flaskr:create_app()'?",
        ),
        (
            "lonely",
            "module 'lonely' (lonely.py) has neither 'application' nor 'app'; it has add",
        ),
        (
            "unusual",
            "module 'unusual' (unusual.py) has neither 'application' nor 'app'; "
            "it has hello, create(); did you mean 'unusual:hello'?",
        ),
        (
            "empty",
            "module 'empty' (empty.py) has neither 'application' nor 'app'; "
            "nothing in it can be called",
        ),
        (
            "directory",
            "module 'directory' (a directory) has neither 'application' nor 'app'; "
            "its modules are directory.web",
        ),
        # What is there instead.
        ("shop:config", "config is a dict, which cannot be called"),
        ("shop:config()", "config is a dict, which cannot be called"),
        ("shop:moody", "moody is a shop.Moody, which cannot be called"),
        ("onlymodule", "app is the module 'onlymodule.app', which cannot be called"),
        (
            "shop:create_app",
            f"create_app takes no arguments, {WANTED}; "
            "if it makes the application, write 'shop:create_app()'",
        ),
        (
            "flaskr:create_app",
            f"create_app needs no arguments, {WANTED}; "
            "if it makes the application, write 'flaskr:create_app()'",
        ),
        ("shop:one", f"one takes (x), {WANTED}"),
        ("builtins:len", f"len takes (obj, /), {WANTED}"),
        (
            "shop:Site",
            "Site is a class; if an instance of it is the application, write 'shop:Site()'",
        ),
        (
            "shop:Useless",
            "Useless is a class, and its instances are no responses to a WSGI request",
        ),
        (
            "shop:asgi",
            "asgi is an ASGI application, which an ASGI server runs (uvicorn, hypercorn); "
            "Quaich serves WSGI applications",
        ),
        (
            "shop:asgi_object",
            "asgi_object is an ASGI application, which an ASGI server runs "
            "(uvicorn, hypercorn); Quaich serves WSGI applications",
        ),
        ("shop:coroutine", "coroutine is a coroutine function; a WSGI application is a plain one"),
        ("shop:stream", "stream is a coroutine function; a WSGI application is a plain one"),
        # Factories.
        ("shop:nothing()", "what nothing() returned is None, which cannot be called"),
        ("shop:number()", "what number() returned is an int, which cannot be called"),
        ("shop:create_async()", "what create_async() returned is a coroutine, which cannot be "
         "called"),
        (
            "shop:make()",
            "the arguments do not fit: TypeError: "
            "make() missing 1 required positional argument: 'name'",
        ),
    ],
)  # fmt: skip
def test_refuses(project: Path, app: str, reason: str) -> None:
    with pytest.raises(LoadError) as caught:
        load_app(app)
    assert str(caught.value) == f"cannot load {app!r}: {reason}"
    assert caught.value.report == ""
    assert caught.value.exit_code == 3


@pytest.mark.parametrize(
    ("app", "reason", "frames"),
    [
        ("zero", "the import of module 'zero' failed: ZeroDivisionError", ["zero.py"]),
        ("nested", "the import of module 'nested' failed: ZeroDi", ["nested.py", "zero.py"]),
        ("zero.py", "the import of zero.py failed: ZeroDivisionError", ["zero.py"]),
        (
            "needs",
            "the import of module 'needs' failed: ModuleNotFoundError: "
            "No module named 'surely_not_installed'",
            ["needs.py"],
        ),
        (
            "package.broken",
            "the import of module 'package.broken' failed: ModuleNotFoundError: "
            "No module named 'package.absent'",
            ["broken.py"],
        ),
        ("invalid", "the import of module 'invalid' failed: SyntaxError", ["invalid.py"]),
        (
            "leaves",
            "the import of module 'leaves' failed: SystemExit: usage: leaves FILE",
            ["leaves.py"],
        ),
        ("shop:boom()", "boom() failed: ValueError: no database", ["shop.py"]),
        ("shop:leave()", "leave() failed: SystemExit: 4", ["shop.py"]),
        (
            "shop:moody.application",
            "getting 'application' of 'moody' failed: LookupError: not today",
            ["shop.py"],
        ),
    ],
)
def test_reports_what_the_code_raised(
    project: Path, app: str, reason: str, frames: list[str]
) -> None:
    """The traceback begins at the application's own code; the one line ends it."""
    with pytest.raises(LoadError) as caught:
        load_app(app)
    assert str(caught.value).startswith(f"cannot load {app!r}: {reason}")
    assert "\n" not in str(caught.value)
    files = [
        Path(line.split('"')[1]).name
        for line in caught.value.report.splitlines()
        if line.startswith('  File "')
    ]
    assert files == frames


def test_a_directory_one_is_in(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("package")
    with pytest.raises(LoadError, match=r"this directory is called so; try --chdir \.\."):
        load_app("package.web")


NEITHER = "has neither 'application' nor 'app'"
DIRECTORY = "is a directory; APP is a module, or a file that ends in .py"


@pytest.mark.parametrize(
    ("directory", "app", "reason"),
    [
        (
            "django_site",
            "manage.py",
            f"module 'manage' (manage.py) {NEITHER}; it has main(); "
            "did you mean 'mysite/wsgi.py'?",
        ),
        (
            "django_site",
            "manage",
            f"module 'manage' (manage.py) {NEITHER}; it has main(); did you mean 'mysite.wsgi'?",
        ),
        (
            "django_site",
            "mysite",
            f"module 'mysite' (mysite/__init__.py) {NEITHER}; it has ready(); "
            "did you mean 'mysite.wsgi'?",
        ),
        ("django_site", ".", f"'.' {DIRECTORY}; did you mean 'mysite/wsgi.py'?"),
        ("django_site/mysite", ".", f"'.' {DIRECTORY}; did you mean 'wsgi.py'?"),
        ("src", "../django_site/", f"'../django_site' {DIRECTORY}; "
         "did you mean '../django_site/mysite/wsgi.py'?"),
        (
            ".",
            "django_site/manage.py",
            f"module 'manage' (django_site/manage.py) {NEITHER}; it has main(); "
            "did you mean 'django_site/mysite/wsgi.py'?",
        ),
        (
            ".",
            "django_site",
            f"module 'django_site' (a directory) {NEITHER}; "
            "its modules are django_site.manage, django_site.mysite; "
            "did you mean 'django_site/mysite/wsgi.py'?",
        ),
        (
            "src",
            "../django_site/manage.py",
            f"module 'manage' ({{root}}/django_site/manage.py) {NEITHER}; it has main(); "
            "did you mean '{root}/django_site/mysite/wsgi.py'?",
        ),
    ],
)  # fmt: skip
def test_django_has_its_application_in_wsgi(
    project: Path, monkeypatch: pytest.MonkeyPatch, directory: str, app: str, reason: str
) -> None:
    monkeypatch.chdir(directory)
    with pytest.raises(LoadError) as caught:
        load_app(app)
    assert str(caught.value) == f"cannot load {app!r}: {reason.format(root=project)}"


@pytest.mark.parametrize("app", ["django_site/mysite/wsgi.py", "django_site.mysite.wsgi"])
def test_what_is_meant_with_django_loads(project: Path, app: str) -> None:
    assert run(load_app(app)) == b"shop"


@pytest.mark.parametrize("directories", [[], ["src"]])
def test_it_is_said_where_a_module_was_looked_for(project: Path, directories: list[str]) -> None:
    with pytest.raises(LoadError) as caught:
        load_app("unlike_all.web", directories)
    places = " and ".join(f"in {place}" for place in [*directories, project])
    assert str(caught.value) == (
        f"cannot load 'unlike_all.web': there is no module 'unlike_all' "
        f"(looked {places} and on sys.path)"
    )


def test_an_object_that_does_not_let_itself_be_looked_at(project: Path) -> None:
    """Flask's ``current_app`` and the like: whether they serve, a request tells."""
    assert load_app("flaskr:request") is sys.modules["flaskr"].request


@pytest.mark.parametrize("app", ["shop", "zero"])
def test_the_note_about_a_slow_import_ends_with_it(
    project: Path, monkeypatch: pytest.MonkeyPatch, app: str
) -> None:
    timers: list[threading.Timer] = []

    class Timer(threading.Timer):
        def start(self) -> None:
            timers.append(self)
            super().start()

    monkeypatch.setattr(threading, "Timer", Timer)
    with contextlib.suppress(LoadError):
        load_app(app)
    (timer,) = timers
    assert timer.interval == NOTE_DELAY
    timer.join()  # it does not wait for its time


def test_a_file_that_cannot_be_read(project: Path) -> None:
    """No traceback where no code of the application ran."""
    (project / "binary.py").write_bytes(b"\0")
    with pytest.raises(LoadError, match=r"the import of module 'binary' failed: SyntaxError"):
        load_app("binary")
    with pytest.raises(LoadError, match=r"cannot load '.*'"):
        load_app("x" * 300 + ".py")


def test_a_long_message_is_shortened(project: Path) -> None:
    (project / "verbose.py").write_text("raise ValueError('x' * 1000)\n")
    with pytest.raises(LoadError) as caught:
        load_app("verbose")
    assert str(caught.value).endswith("x…")
    assert len(str(caught.value)) < 400


def test_an_exception_without_a_message(project: Path) -> None:
    (project / "terse.py").write_text("raise ValueError\n")
    with pytest.raises(LoadError, match=r"failed: ValueError$"):
        load_app("terse")
