"""The scenarios of ``tests/loss`` in their small size."""

import os
import sys

import pytest

from loss.scenarios import SCENARIOS, may_become_another

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(sys.platform != "linux", reason="asks /proc about processes"),
]


@pytest.mark.parametrize("name", SCENARIOS)
def test_nothing_is_lost(name: str) -> None:
    if name == "certificate_of_root" and not may_become_another():
        if "CI" in os.environ:
            pytest.fail("only root may become another user")
        pytest.skip("only root may become another user")
    report = SCENARIOS[name](False)
    assert report.faults == [], str(report)
