"""What a server takes as the target of a request, in words of its own."""

import re

from quaich.conformance.check.targets import Target

# RFC 9112, 3.2.1: origin-form = absolute-path [ "?" query ], in the characters of RFC 3986
_PCHAR = r"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@]|%[0-9A-Fa-f]{2})"
_ORIGIN_FORM = re.compile(rf"(?:/{_PCHAR}*)+(?:\?(?:{_PCHAR}|[/?])*)?")


def assert_can_be_sent(target: Target) -> None:
    """Its request line and its Content-Type are sound."""
    assert re.fullmatch(r"[A-Z]+", target.method) or target.source == "--path"
    assert _ORIGIN_FORM.fullmatch(target.request_target)
    assert re.fullmatch(r"[\t\x20-\x7e]*", target.content_type)
