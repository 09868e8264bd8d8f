"""Settings that need another one."""

import pytest

from quaich.settings import TABLE, Given, SettingError, from_keywords, merge, settings
from quaich.settings.together import NEEDS
from settings_support import EXAMPLES, beside


def refusal(**keywords: object) -> str:
    with pytest.raises(SettingError) as caught:
        settings(**keywords)
    return str(caught.value)


def test_the_names_there_are() -> None:
    assert {*NEEDS} <= {*TABLE}
    assert {need.name for need in NEEDS.values()} <= {*TABLE}


@pytest.mark.parametrize("name", NEEDS)
def test_each_is_refused_without_what_it_needs(name: str) -> None:
    text, _ = EXAMPLES[name]
    needed = NEEDS[name].name
    assert f"it needs {needed}" in refusal(**{name: text})
    settings(**{name: text} | beside(name))
    settings(**{name: TABLE[name].default})  # a default needs nothing
    settings(workers=1, max_requests=1, max_requests_jitter=1)


@pytest.mark.parametrize(
    ("keywords", "line"),
    [
        ({"keyfile": "k"}, "keyfile='k': it needs certfile with a file"),
        ({"max_requests": 1}, "max_requests=1: it needs workers 1 or more"),
        (
            {"max_requests": 1, "workers": 0},
            "max_requests=1: it needs workers 1 or more, not workers=0",
        ),
        (
            {"workers": 1, "max_requests_jitter": 5},
            "max_requests_jitter=5: it needs max_requests 1 or more",
        ),
        (
            {"certfile": "c", "cert_reqs": "optional", "ca_certs": None},
            "cert_reqs='optional': it needs ca_certs, not ca_certs=None",
        ),
        ({"keyfile_password": "sesame"}, "keyfile_password=…: it needs certfile with a file"),
    ],
)
def test_what_is_said(keywords: dict[str, object], line: str) -> None:
    assert refusal(**keywords) == line


@pytest.mark.parametrize(
    ("given", "line"),
    [
        (Given(5, "--max-requests 5", "--max-requests"), "--max-requests 5: it needs --workers 1"),
        (
            Given(5, "QUAICH_MAX_REQUESTS=5", "QUAICH_MAX_REQUESTS"),
            "QUAICH_MAX_REQUESTS=5: it needs QUAICH_WORKERS 1",
        ),
        (
            Given(5, "q.toml, line 1: max-requests = 5", "q.toml, line 1"),
            "q.toml, line 1: max-requests = 5: it needs workers 1",
        ),
    ],
)
def test_the_other_one_is_written_alike(given: Given, line: str) -> None:
    with pytest.raises(SettingError) as caught:
        merge({"max_requests": given})
    assert str(caught.value) == f"{line} or more"


def test_sources_are_judged_together() -> None:
    """What one source says may be met by another, and undone by a third."""
    one, other = from_keywords({"max_requests": 1}), from_keywords({"workers": 2})
    assert merge(one, other).workers.max_requests == 1
    with pytest.raises(SettingError, match="not workers=0"):
        merge(from_keywords({"workers": 0}), one, other)
