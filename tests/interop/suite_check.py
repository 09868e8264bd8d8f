"""``quaich check`` on sites in real frameworks: none of them breaks a rule, and what is warned of
is known. ``run.py`` runs this, in an environment that has the frameworks.
"""

# mypy: disable-error-code="import-not-found,import-untyped"

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from quaich.conformance import Finding, Report
from quaich.conformance.check.run import check_application
from quaich.conformance.check.targets import parse_path

# Those are of the frameworks, in themselves.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore:pkg_resources is deprecated"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

SITES = Path(__file__).parent / "sites"
HOST = "127.0.0.1:8000"  # Django's site answers for that one

PATHS = (
    *("/", "/page?name=x&tag=a&tag=b", "/redirect", "/cookies", "/cookies/set", "/missing"),
    *("/stream?blocks=20", "/file", "/path/caf%C3%A9", "POST /content abc"),
    *("POST /form a=1&b=2", 'POST /json {"numbers": [1, 2]}'),
)

# What each is warned of, with the reason.
KNOWN = {
    # Where it is told of Transfer-Encoding it decodes the chunks, though the server has done so.
    "bottle": {"A38"},
    "django": set[str](),
    "flask": set[str](),
    # A resource without on_head() answers 405 to HEAD.
    "falcon": {"H137"},
    # A path that is no UTF-8 raises URLDecodeError; the site's own JSON is read without a net.
    "pyramid": {"A29", "A35"},
}


def findings_of(application: Any, *paths: str) -> list[Finding]:
    targets = [parse_path(path) for path in paths]
    return list(check_application(application, "it", Report(), targets, host=HOST).findings)


def judge(findings: list[Finding], known: set[str], *, errors: bool = False) -> None:
    assert errors or [str(each) for each in findings if each.severity == "error"] == []
    assert {each.rule for each in findings} <= known, "\n".join(map(str, findings))


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch, file: Path) -> Callable[[str], Any]:
    monkeypatch.setenv("FILE", str(file))
    monkeypatch.syspath_prepend(str(SITES))

    def load(name: str) -> Any:
        sys.modules.pop(name, None)
        module = importlib.import_module(name)
        names = ("app", "application", "make")
        return next(getattr(module, each) for each in names if hasattr(module, each))

    return load


@pytest.mark.parametrize("framework", KNOWN)
def test_a_site_breaks_no_rule(framework: str, site: Callable[[str], Any]) -> None:
    judge(findings_of(site(f"{framework}_site"), *PATHS), KNOWN[framework])


def test_wsgidav_breaks_two_rules(site: Callable[[str], Any], tmp_path: Path) -> None:
    (tmp_path / "a file.txt").write_text("hello")
    make = site("webdav_site")
    paths = ("/", "/a%20file.txt", "PROPFIND /", "/missing")
    # Two of them are errors, and true: it answers HEAD for a directory with Content-Length 0
    # (H123), and 405 without Allow (H136). It asks for SCRIPT_NAME without a fallback (A29).
    judge(findings_of(make(str(tmp_path)), *paths), {"A29", "A35", "H123", "H136"}, errors=True)


def test_werkzeug_breaks_no_rule() -> None:
    from werkzeug.middleware.proxy_fix import ProxyFix
    from werkzeug.wrappers import Request, Response

    @Request.application  # type: ignore[untyped-decorator]  # not installed where mypy runs
    def application(request: Any) -> Any:
        return Response(f"{request.path} {sorted(request.form.items())}")

    judge(findings_of(ProxyFix(application), "/", "POST /form a=1", "/x?y=z"), set())


def test_webob_breaks_no_rule() -> None:
    from webob import Response
    from webob.dec import wsgify

    @wsgify  # type: ignore[untyped-decorator]  # not installed where mypy runs
    def application(request: Any) -> Any:
        return Response(f"{request.path} {request.body!r}")

    judge(findings_of(application, "/", "POST /form a=1", "/x?y=z"), {"A35"})


def test_whitenoise_breaks_no_rule(tmp_path: Path, site: Callable[[str], Any]) -> None:
    from whitenoise import WhiteNoise

    (tmp_path / "style.css").write_text("body { color: teal }")
    application = WhiteNoise(site("flask_site"), root=tmp_path)
    judge(findings_of(application, "/style.css", "/page?name=x", "/missing"), set())
