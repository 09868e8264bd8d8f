"""A project directory to load applications from, and the command as a process."""

import contextlib
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

import quaich
from quaich.server.system import process

SHOP = """
from typing import Any, Optional

def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"shop"]

config = {"debug": True}

def create_app():
    return app

def make(name, *, debug=False):
    return app

def nothing():
    pass

def number():
    return 7

def one(x):
    pass

def boom():
    raise ValueError("no\\ndatabase")

def leave():
    raise SystemExit(4)

async def asgi(scope, receive, send):
    pass

async def coroutine(environ, start_response):
    pass

async def stream(environ, start_response):
    yield b""

async def create_async():
    return app

class Site:
    def __call__(self, environ, start_response):
        return app(environ, start_response)

class Asgi:
    async def __call__(self, scope, receive, send):
        pass

asgi_object = Asgi()

class Response:
    def __init__(self, environ, start_response):
        self.start_response = start_response

    def __iter__(self):
        self.start_response("200 OK", [])
        yield b""

class Useless:
    pass

class Unsure:
    def __new__(cls, environ, start_response):
        return []

class Holder:
    application = Site()

class Moody:
    @property
    def application(self):
        raise LookupError("not today")

moody = Moody()
"""

FILES = {
    "shop.py": SHOP,
    "my-app.py": SHOP,
    "src/hidden.py": SHOP,
    "types/types.py": SHOP,
    "package/__init__.py": "",
    "package/web.py": "from .inner import app as application\n",
    "package/inner.py": "from shop import app\n",
    "package/broken.py": "import package.absent\n",
    "both/__init__.py": "from both import app\nfrom shop import app as application\n",
    "both/app.py": "",
    "onlymodule/__init__.py": "from onlymodule import app\n",
    "onlymodule/app.py": "",
    "directory/web.py": SHOP,
    "site_only.py": (
        "from shop import Site\n"
        "from typing import Optional\n"
        "wsgi = Site()\n"
        "def create(): return wsgi\n"
        "def helper(x): pass\n"
    ),
    "functions.py": "".join(f"def f{i}(x): pass\n" for i in range(8)),
    "factory.py": "def create(): pass\n",
    "empty.py": "x = 1\n",
    "flaskr.py": (
        "class Proxy:\n"
        "    def __call__(self): pass\n"
        "    @property\n"
        "    def __signature__(self): raise RuntimeError('outside of a request')\n"
        "    __name__ = __signature__\n"
        "request = Proxy()\n"
        "def add(a, b): pass\n"
        "def connect(): pass\n"
        "def create_app(test_config=None): pass\n"
    ),
    "lonely.py": "def add(a, b): pass\n",
    "unusual.py": "def create(): pass\ndef hello(environ, respond): pass\n",
    "django_site/manage.py": "def main(): pass\n",
    "django_site/mysite/__init__.py": "def ready(): pass\n",
    "django_site/mysite/settings.py": "",
    "django_site/mysite/wsgi.py": "from shop import app as application\n",
    "needs.py": "import surely_not_installed\n",
    "zero.py": "1 / 0\n",
    "nested.py": "import zero\n",
    "invalid.py": "def f(:\n",
    "leaves.py": "import sys\nsys.exit('usage: leaves FILE')\n",
    "text.txt": "",
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The current directory, with FILES in it; what is imported from it is forgotten."""
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    process._start.cache_clear()  # the process of each test starts here
    before = {*sys.modules}
    yield tmp_path
    process._start.cache_clear()
    for name in {*sys.modules} - before:
        # Of these there would be a second copy beside parts of the first.
        if name.partition(".")[0] not in ("quaich", "rich"):
            del sys.modules[name]


@pytest.fixture
def any_port(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands serve on a free port, unless they are told another one."""
    monkeypatch.setenv("QUAICH_BIND", "127.0.0.1:0")


@pytest.fixture
def signal_handlers() -> Iterator[None]:
    """The signal handlers are put back."""
    handlers = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}
    yield
    for each, handler in handlers.items():
        signal.signal(each, handler)


@pytest.fixture
def loggers() -> Iterator[dict[str, logging.Logger]]:
    """The server's loggers; what a test does to them is undone."""
    loggers = {name: logging.getLogger(name) for name in ("quaich.error", "quaich.application")}
    yield loggers
    for logger in loggers.values():
        for handler in [*logger.handlers]:
            logger.removeHandler(handler)
            handler.close()
        logger.disabled = False
        logger.propagate = True
        logger.setLevel(logging.NOTSET)


Command = Callable[..., "AbstractContextManager[subprocess.Popen[str]]"]


@pytest.fixture
def command() -> Command:
    """``python -m quaich ARGS…`` as a process; what is left of it at the end is killed.

    ``variables`` are those of its environment, besides this one's.
    """

    @contextlib.contextmanager
    def start(*args: str, **options: Any) -> Iterator[subprocess.Popen[str]]:
        source = str(Path(quaich.__file__).parents[1])
        with subprocess.Popen(
            [sys.executable, *(options.pop("python", ("-m", "quaich"))), *args],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ
            | {"PYTHONPATH": source, "PYTHONDONTWRITEBYTECODE": "1"}
            | options.pop("variables", {}),
            **options,
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    return start
