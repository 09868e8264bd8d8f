"""The requests in ``tests/corpus``: one file for each, and the two corpora of other projects.

Shared with the harnesses in ``fuzz/``, whose seeds they are.
"""

import base64
import json
import tomllib
from pathlib import Path
from typing import Any, Final, NamedTuple

from quaich.protocol.http1 import HeadLimits, HeadOptions

CORPUS: Final = Path(__file__).parent.parent / "corpus"
EXPECTED: Final[dict[str, dict[str, Any]]] = tomllib.loads(
    (CORPUS / "expected.toml").read_text("utf-8")
)


def read_case(name: str) -> bytes:
    """The octets of a file of the corpus."""
    return (CORPUS / f"{name}.http").read_bytes()


class Record(NamedTuple):
    """A case of another project, as ``tests/corpus/README.md`` describes it."""

    id: str
    data: bytes
    options: HeadOptions
    theirs: str
    their_requests: int
    ours: str
    requests: list[dict[str, Any]]
    rest: bytes
    differs: str


def _record(project: str, line: str) -> Record:
    fields = json.loads(line)
    options = dict(fields.get("options", {}))
    if "limits" in options:
        options["limits"] = HeadLimits(**options["limits"])
    return Record(
        f"{project} {fields['id']}",
        base64.b64decode(fields["raw"]),
        HeadOptions(**options),
        fields["theirs"]["verdict"],
        fields["theirs"]["requests"],
        fields["ours"],
        fields.get("requests", []),
        fields.get("rest", "").encode("latin-1"),
        fields.get("differs", ""),
    )


RECORDS: Final = [
    _record(project, line)
    for project in ("gunicorn", "llhttp")
    for line in (CORPUS / f"{project}.jsonl").read_text("ascii").splitlines()
]


def all_requests() -> list[bytes]:
    """What each case sends, without repetitions."""
    data = [read_case(name) for name in EXPECTED] + [record.data for record in RECORDS]
    return list(dict.fromkeys(data))
