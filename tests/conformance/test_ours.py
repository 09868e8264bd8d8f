"""Quaich's own server before the prober: it breaks nothing."""

import contextlib
import sys

import pytest

from quaich.conformance.probe import trials as trials  # which registers them
from quaich.conformance.probe.judging import Probe, judge
from quaich.conformance.probe.launching import launched
from quaich.conformance.probe.presets import PRESETS
from quaich.conformance.probe.wire import Client
from quaich.conformance.rules import catalogue

# Advice that it does not take: see docs/conformance/servers.md.
WARNED = {"H116", "S75"}

# Not to be tried here: TLS, and what takes longer than a trial may wait.
OPEN = {"S33", "H111", "H112"}


@pytest.mark.live
@pytest.mark.timeout(180)
def test_our_server_keeps_every_rule_that_can_be_tried() -> None:
    with contextlib.ExitStack() as stack:

        def start(kind: str) -> Client:
            stack.close()  # the one before
            command = PRESETS["quaich"].filled(sys.executable)
            running = stack.enter_context(launched(command, kind=kind))
            return Client(running.host, running.port)

        verdicts = judge(Probe(start("function"), start=start), tries=2)
    broken = [each for each in verdicts if each.verdict in ("fail", "warn")]
    assert {each.rule for each in broken} == WARNED, "\n".join(
        f"{each.rule}: {each.detail}" for each in broken
    )
    untried = {each.rule for each in verdicts if each.verdict == "untestable"}
    assert {rule for rule in untried if "probe" in catalogue()[rule].checked} <= OPEN
