"""The harnesses, each to be run as ``python -m fuzz.NAME`` from the root of the repository.

What reads a connection, and the seeds, they share with the tests. atheris has to see Quaich's
modules being loaded, so that is here, before any harness.
"""

import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

atheris: Any = None
if "--random" not in sys.argv and find_spec("atheris") is not None:
    atheris = import_module("atheris")
    with atheris.instrument_imports(include=["quaich"], enable_loader_override=False):
        import_module("quaich.protocol.http1")
        import_module("quaich.protocol.proxy")
