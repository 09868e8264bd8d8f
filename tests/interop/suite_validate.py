"""Suites of others that check their server with ``wsgiref.validate``, with Quaich's validator in
its place, as it is and strict. ``run.py`` runs this, in an environment that has both projects.

bottle's suite is run by ``tests/compat``. With the strict validator it fails where bottle's own
stand-in for a server breaks a rule: its start_response returns None (S13), and one test answers 401
without WWW-Authenticate (H136).
"""

import re
import subprocess
import sys

import pytest

pytestmark = pytest.mark.live

# The module under test gets the validator by import, so it has to be there before.
RUN = """
import functools, runpy, sys
from quaich import dropin
dropin.install()
import wsgiref.validate
if sys.argv[1] == "strict":
    wsgiref.validate.validator = functools.partial(wsgiref.validate.validator, strict=True)
sys.argv = sys.argv[2:]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""

SUITES = {
    "tornado": ("tornado.test.runtests", "tornado.test.wsgi_test"),
    "gevent": ("gevent.tests.test__pywsgi",),
}
LEAST = {"tornado": 6, "gevent": 100}  # tests


@pytest.mark.parametrize("mode", ["as it is", "strict"])
@pytest.mark.parametrize("project", SUITES)
def test_a_suite_passes_with_our_validator(project: str, mode: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", RUN, mode, *SUITES[project]],
        capture_output=True,
        text=True,
        timeout=50,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    ran = re.search(r"Ran (\d+) tests", done.stderr)
    assert ran is not None
    assert int(ran[1]) >= LEAST[project]
