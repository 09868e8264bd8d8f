"""The scenarios of ``tests/loss`` in their small size."""

import sys

import pytest

from loss.scenarios import SCENARIOS

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(sys.platform != "linux", reason="asks /proc about processes"),
]


@pytest.mark.parametrize("name", SCENARIOS)
def test_nothing_is_lost(name: str) -> None:
    report = SCENARIOS[name](False)
    assert report.faults == [], str(report)
