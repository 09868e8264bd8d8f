"""The subject under test, and what a defect test means.

Most tests take the modules they test from the fixture ``wsgiref``. By default that is Quaich;
with ``pytest --subject=stdlib`` it is the standard library's package, and then

* a test marked ``@pytest.mark.defect("D065")`` must *fail* (strict xfail): this is the proof
  that the defect exists there and that the test sees it;
* every other test that takes the fixture must pass: it states common behaviour.

The failure must be what the defect makes of the test: a wrong value, or an exception of the
kinds in ``FAILURES``. A name that is not there proves nothing of the kind, so AttributeError,
ImportError and NameError do not count, unless the marker says

* ``raises=AttributeError``: this exception (and no other) is the defect;
* ``feature=True``: what is missing there is the name itself, and the defect is that it is.

``upstream="gh-143916"`` in a marker says that newer releases of CPython have mended the defect
too; there the test may pass or fail.
"""

import importlib
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

MODULES = ("util", "headers", "handlers", "simple_server", "validate", "types")

FAILURES: tuple[type[BaseException], ...] = (
    AssertionError,
    pytest.fail.Exception,  # of pytest.raises()
    EOFError,
    LookupError,
    OSError,
    TypeError,
    ValueError,
    Warning,
)
MISSING = (AttributeError, ImportError)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--subject",
        choices=("quaich", "stdlib"),
        default="quaich",
        help="which implementation of wsgiref the fixture `wsgiref` hands out",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        for marker in item.iter_markers("defect"):
            if not marker.args:
                raise pytest.UsageError(f"{item.nodeid}: a defect marker names its id")
            if not marker.kwargs.keys() <= {"upstream", "raises", "feature"}:
                raise pytest.UsageError(f"{item.nodeid}: a defect marker has unknown keywords")
    if config.getoption("--subject") == "quaich":
        return
    relevant = [item for item in items if "wsgiref" in getattr(item, "fixturenames", ())]
    for item in relevant:
        closest = item.get_closest_marker("defect")
        if closest is not None:
            item.add_marker(_expected_failure(*closest.args, **closest.kwargs))
    chosen = set(relevant)
    config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
    items[:] = relevant


def _expected_failure(
    *ids: str, upstream: str | None = None, raises: Any = FAILURES, feature: bool = False
) -> pytest.MarkDecorator:
    return pytest.mark.xfail(
        strict=upstream is None,
        raises=MISSING if feature else raises,
        reason=f"the standard library has {', '.join(ids)}",
    )


@pytest.fixture(scope="session")
def wsgiref(request: pytest.FixtureRequest) -> SimpleNamespace:
    """The modules of the subject: ``wsgiref.util``, ``wsgiref.headers``, …"""
    package = "quaich" if request.config.getoption("--subject") == "quaich" else "wsgiref"
    modules: dict[str, ModuleType] = {
        name: importlib.import_module(f"{package}.{name}") for name in MODULES
    }
    return SimpleNamespace(**modules)
