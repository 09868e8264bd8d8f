"""The projects which use wsgiref: the versions, what they need, how their tests are started.

It knows neither how an environment is made nor how an outcome is read.

Versions are exact, so that a failure tells of a change in Quaich.  Each is the newest release which
runs on every Python that Quaich supports; a newer one is taken by editing its line here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum


class Runner(Enum):
    """What runs the tests of a project."""

    PYTEST = "pytest"
    UNITTEST_SCRIPT = "a script of the project which runs unittest"


@dataclass(frozen=True, slots=True)
class Project:
    """One user of wsgiref."""

    # The name on the package index, and the argument of --only.
    name: str
    version: str
    # What of wsgiref its tests exercise, in the words of docs/compatibility.md.
    exercises: str
    # Arguments of the runner; for a script, the script is the first.
    arguments: tuple[str, ...]
    # The fewest tests that must pass on the standard library: fewer, and the run proves nothing.
    floor: int
    runner: Runner = Runner.PYTEST
    # Requirements of the tests, beside the project itself and REQUIREMENTS.
    requires: tuple[str, ...] = ()
    # Programs which must be on the PATH.
    programs: tuple[str, ...] = ()
    # Files of ours which the source release lacks: name in support/ -> path in the release.
    support: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    # Tests which pass or fail by chance on the standard library as well: id -> reason.  They are
    # run and compared, but not counted, so that a count tells of nothing but the implementation.
    unsteady: Mapping[str, str] = field(default_factory=dict)
    note: str = ""

    def __str__(self) -> str:
        return f"{self.name} {self.version}"

    @property
    def requirements(self) -> tuple[str, ...]:
        return (f"{self.name}=={self.version}", *REQUIREMENTS, *self.requires)

    def command(self, only: tuple[str, ...] = ()) -> tuple[str, ...]:
        """Return what follows the interpreter; `only` restricts the run to those test ids."""
        match self.runner:
            case Runner.PYTEST:
                options = ("-p", "quaich_compat", "-p", "no:cacheprovider", "-q", *PYTEST_OPTIONS)
                return ("-m", "pytest", *options, *(only or self.arguments))
            case Runner.UNITTEST_SCRIPT:
                script, *labels = self.arguments
                switches = (label for label in labels if label.startswith("-"))
                chosen = (*switches, *only) if only else tuple(labels)
                return ("-m", "quaich_compat", script, *chosen)


REQUIREMENTS = ("pytest==8.4.2", "pytest-timeout==2.4.0")

# Seconds.  The slowest of the tests takes about six.
PYTEST_OPTIONS = ("--rootdir=.", "--timeout=60")

# Those which take longest are the first, so that none of them is left alone at the end.
PROJECTS = (
    Project(
        name="dulwich",
        version="1.2.21",
        exercises="`git` itself as the client of dulwich's server: the `write` function of "
        "`start_response`, `wsgi.input` read to the announced length, overridden logging, a copy "
        "of `WSGIRequestHandler.handle`, `types`.",
        arguments=("tests/test_web.py", "tests/compat/test_web.py"),
        floor=100,
        programs=("git",),
    ),
    Project(
        name="Django",
        version="5.2.19",
        exercises="`runserver` and the live server: deep subclasses of `WSGIServer`, "
        "`WSGIRequestHandler` and `ServerHandler`, HTTP/1.1 with persistent connections, "
        "`wsgi.file_wrapper`, and the handlers called with stub sockets.",
        arguments=(
            "tests/runtests.py",
            "--parallel=1",
            "--noinput",
            "servers",
            "builtin_server",
            "wsgi",
            "handlers",
        ),
        floor=70,
        runner=Runner.UNITTEST_SCRIPT,
        note="The newest long-term release, which runs on all Pythons that Quaich supports.",
    ),
    Project(
        name="Radicale",
        version="3.9.0",
        exercises="A threading `WSGIServer` with client addresses of its own kind, TLS in "
        "`server_bind`, a copy of `WSGIRequestHandler.handle`, `ServerHandler.os_environ`.",
        arguments=("quaich_radicale_server.py",),
        floor=20,
        requires=("trustme==1.2.1",),
        support={
            "radicale_harness.py": "quaich_radicale_harness.py",
            "radicale_server.py": "quaich_radicale_server.py",
        },
        note="No source release has the test-suite; Radicale's server is run by tests of our own, "
        "`tests/compat/support/radicale_server.py`.",
    ),
    Project(
        name="prometheus-client",
        version="0.26.0",
        exercises="A threading `WSGIServer` subclass given to `make_server` by position and served "
        "in a thread, its `socket` exchanged for one with TLS after it was bound; "
        "`util.setup_testing_defaults`.",
        arguments=("tests/test_exposition.py", "tests/test_wsgi.py"),
        floor=100,
        unsteady={
            "tests/test_exposition.py::TestWsgiTLS::test_mtls_untrusted_client_cert_raises": "the "
            "client gets either the alert of TLS or the reset of the connection, whichever is "
            "first, and the test expects the alert",
        },
    ),
    Project(
        name="WebOb",
        version="1.8.11",
        exercises="`make_server` with subclasses of `WSGIServer` and `WSGIRequestHandler` on real "
        "sockets, clients which send less than they announced, and a "
        "`ServerHandler.handle_error` which cannot be called.",
        arguments=("tests/test_in_wsgiref.py", "tests/test_client_functional.py"),
        floor=6,
    ),
    Project(
        name="bottle",
        version="0.13.4",
        exercises="`validate.validator` around the application of every test of the suite, with "
        "bottle's own `start_response` of two arguments; `ErrorWrapper.errors`; "
        "`util.setup_testing_defaults`.",
        arguments=("test",),
        floor=370,
        requires=("Jinja2==3.1.6", "Mako==1.3.10"),
    ),
    Project(
        name="whitenoise",
        version="6.12.0",
        exercises="`headers.Headers` as the response headers of every static file, "
        "`util.FileWrapper`, `simple_server.demo_app`, and a live `make_server` before WhiteNoise "
        "alone and before Django with WhiteNoise.",
        arguments=("tests",),
        floor=120,
        requires=("Django==5.2.19", "brotli==1.2.0", "requests==2.32.5"),
        support={
            "whitenoise_conftest.py": "tests/conftest.py",
            "whitenoise_utils.py": "tests/utils.py",
            "whitenoise_settings.py": "tests/django_settings.py",
            "whitenoise_urls.py": "tests/django_urls.py",
        },
        environment={"DJANGO_SETTINGS_MODULE": "tests.django_settings"},
        note="The source release has the test modules, and lacks the modules and files which they "
        "share; those of `tests/compat/support` stand in for them.",
    ),
    Project(
        name="google-auth-oauthlib",
        version="1.5.0",
        exercises="One login over `make_server`, `handle_request` and `server_close`; a "
        "`WSGIServer` subclass which overrides `server_bind`; `util.request_uri`; "
        "`mock.patch('wsgiref.simple_server.make_server')`.",
        arguments=("tests/unit/test_flow.py",),
        floor=25,
    ),
)
