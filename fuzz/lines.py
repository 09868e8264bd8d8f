"""Any bytes, line by line as the drop-in server reads them, give a head or a ProtocolError with a
status of 400, 501 or 505, in both profiles; never another error, and never a name or value with
an octet that may not be in it."""

import re

from fuzz.harness import run
from fuzz.head import TOKENS
from protocol.corpora import all_requests
from quaich.protocol.errors import ProtocolError
from quaich.protocol.framing import body_decoder, expects_continue, persists
from quaich.protocol.request import (
    DROPIN,
    STRICT,
    Leniency,
    check_fields,
    decode_path,
    parse_field_line,
    parse_request_line,
    parse_target,
    strip_line_end,
)

unsound = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]|[^\x00-\xff]").search


def parse(data: bytes, leniency: Leniency) -> None:
    first, *rest = data.splitlines(keepends=True) or [b""]
    line = parse_request_line(strip_line_end(first, leniency), leniency)
    decode_path(parse_target(line.method, line.target).path)
    fields = []
    for raw in rest:
        stripped = strip_line_end(raw, leniency)
        if not stripped:
            break
        fields.append(parse_field_line(stripped))
    for name, value in fields:
        if unsound(name) or unsound(value) or value != value.strip(" \t"):
            raise AssertionError(f"an unsound field: {name!r}, {value!r}")
    check_fields(line.version, fields)
    values = {
        key: [value for name, value in fields if name.lower() == key]
        for key in ("transfer-encoding", "content-length", "connection", "expect")
    }
    body_decoder(line.version, values["transfer-encoding"], values["content-length"])
    persists(line.version, values["connection"])
    expects_continue(line.version, ", ".join(values["expect"]))


def check(data: bytes) -> None:
    for leniency in (STRICT, DROPIN):
        try:
            parse(data, leniency)
        except ProtocolError as error:
            if error.status not in (400, 501, 505):
                raise AssertionError(f"{error.status} is not for a head") from error


if __name__ == "__main__":
    run(check, TOKENS, all_requests())
