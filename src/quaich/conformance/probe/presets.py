"""Servers that are known, and how each is started for the prober: with one worker, and threads
where it has them.

A preset runs with the Python that the prober runs in, or another (``--python``), in which the
server has to be installed.
"""

import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final


@dataclass(frozen=True)
class Preset:
    """``command`` as for ``--exec``, with ``{python}`` and ``{bin}``, the directory of its
    scripts, in addition; ``package`` as the package index knows it, empty: the standard library."""

    name: str
    package: str
    command: str

    def filled(self, python: str) -> str:
        """The command for a Python."""
        directory = shlex.quote(str(Path(python).parent))
        return self.command.replace("{python}", shlex.quote(python)).replace("{bin}", directory)


def _code(text: str) -> str:
    """A command that runs Python code, which has the application as ``application``."""
    return f"{{python}} -c {shlex.quote(f'from {{module}} import application; {text}')}"


PRESETS: Final = {
    preset.name: preset
    for preset in (
        Preset("quaich", "quaich", "{python} -m quaich serve --bind {host}:{port} {app}"),
        Preset(
            "gunicorn",
            "gunicorn",
            "{bin}/gunicorn --bind {host}:{port} --worker-class gthread --threads 8"
            " --no-control-socket {app}",
        ),
        Preset(
            "granian",
            "granian",
            "{bin}/granian --interface wsgi --host {host} --port {port} --blocking-threads 8 {app}",
        ),
        Preset(
            "waitress", "waitress", "{bin}/waitress-serve --listen {host}:{port} --threads 8 {app}"
        ),
        Preset(
            "uwsgi",
            "uwsgi",
            "{bin}/uwsgi --http-socket {host}:{port} --virtualenv {bin}/.. --module {app}"
            " --threads 8 --need-app --disable-logging --pythonpath .",
        ),
        Preset(
            "cheroot",
            "cheroot",
            _code(
                'from cheroot.wsgi import Server; Server(("{host}", {port}), application,'
                " numthreads=8).safe_start()"
            ),
        ),
        Preset(
            "bjoern", "bjoern", _code('import bjoern; bjoern.run(application, "{host}", {port})')
        ),
        Preset(
            "fastwsgi",
            "fastwsgi",
            _code('import fastwsgi; fastwsgi.run(application, host="{host}", port={port})'),
        ),
        Preset(
            "wsgiref",
            "",
            _code(
                "from wsgiref.simple_server import make_server;"
                ' make_server("{host}", {port}, application).serve_forever()'
            ),
        ),
        Preset(
            "werkzeug",
            "werkzeug",
            _code(
                "from werkzeug.serving import run_simple;"
                ' run_simple("{host}", {port}, application, threaded=True)'
            ),
        ),
        Preset(
            "gevent",
            "gevent",
            _code(
                "from gevent.pywsgi import WSGIServer;"
                ' WSGIServer(("{host}", {port}), application).serve_forever()'
            ),
        ),
    )
}

_ASK: Final = """
import importlib.metadata, platform, sys
try:
    print(importlib.metadata.version(sys.argv[1]) if sys.argv[1] else platform.python_version())
except importlib.metadata.PackageNotFoundError:
    pass
"""


def version_of(preset: Preset, python: str = sys.executable) -> str:
    """The version that is installed for a Python, empty if none is. Raises OSError if there is no
    such Python."""
    done = subprocess.run(
        [python, "-c", _ASK, preset.package], capture_output=True, text=True, check=False
    )
    return done.stdout.strip()
