"""The ABNF that several modules need, each rule under its quotation.

Only ``[0-9]`` and ``fullmatch``: ``\\d`` and ``str.isdigit()`` accept other scripts' digits
(D082), and ``$`` matches before a final newline.
"""

import re
from typing import Final

# tchar = "!" / "#" / "$" / "%" / "&" / "'" / "*" / "+" / "-" / "." / "^" / "_" / "`" / "|" / "~"
#         / DIGIT / ALPHA; token = 1*tchar                              RFC 9110, section 5.6.2
TOKEN: Final = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"

# quoted-string = DQUOTE *( qdtext / quoted-pair ) DQUOTE               RFC 9110, section 5.6.4
QUOTED_STRING: Final = r'"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t \x21-\x7e\x80-\xff])*"'

# field-value = *field-content; field-vchar = VCHAR / obs-text          RFC 9110, section 5.5
FIELD_VALUE: Final = r"[\t\x20-\x7e\x80-\xff]*"

# h16 = 1*4HEXDIG; ls32 = ( h16 ":" h16 ) / IPv4address;
# IPv6address = 6( h16 ":" ) ls32 / [ *n( h16 ":" ) h16 ] "::" (5-n)( h16 ":" ) ls32 / …
#                                                                       RFC 3986, section 3.2.2
_H16 = r"[0-9A-Fa-f]{1,4}"
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_LS32 = rf"(?:{_H16}:{_H16}|{_OCTET}(?:\.{_OCTET}){{3}})"
_IPV6 = "|".join(
    [rf"(?:{_H16}:){{6}}{_LS32}", rf"::(?:{_H16}:){{5}}{_LS32}"]
    + [
        rf"(?:(?:{_H16}:){{0,{before}}}{_H16})?::(?:{_H16}:){{{4 - before}}}{_LS32}"
        for before in range(5)
    ]
    + [rf"(?:(?:{_H16}:){{0,5}}{_H16})?::{_H16}", rf"(?:(?:{_H16}:){{0,6}}{_H16})?::"]
)

# uri-host [ ":" port ]; uri-host = IP-literal / IPv4address / reg-name  RFC 9110, section 4.2;
# reg-name = *( unreserved / pct-encoded / sub-delims )                 RFC 3986, section 3.2.2
AUTHORITY: Final = (
    rf"(?P<host>\[(?:{_IPV6})\]"
    r"|\[[vV][0-9A-Fa-f]+\.[A-Za-z0-9\-._~!$&'()*+,;=:]+\]"
    r"|(?:[A-Za-z0-9\-._~!$&'()*+,;=]|%[0-9A-Fa-f]{2})*)"
    r"(?::(?P<port>[0-9]*))?"
)

is_token: Final = re.compile(TOKEN).fullmatch
is_field_value: Final = re.compile(FIELD_VALUE).fullmatch
match_authority: Final = re.compile(AUTHORITY).fullmatch


def parse_decimal(text: str) -> int | None:
    """``1*DIGIT`` as an integer, or None.

    The one place where text of a message becomes a number: ``int()`` would also take ``+5``,
    ``1_0``, ``' 5'`` and other scripts' digits (D040, D087; H062).
    """
    # 20 digits hold 2**64; more is nobody's length, and huge conversions are quadratic (H063).
    # isdigit() alone is true for other scripts' digits.
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 20 else None


def list_members(values: list[str]) -> list[str]:
    """The members of a list-based field over all its lines, lower-cased.

    Empty members are ignored (RFC 9110, section 5.6.1.2; H054). For fields whose members are
    tokens; it does not look into quoted strings.
    """
    return [
        member
        for value in values
        for part in value.split(",")
        if (member := part.strip(" \t").lower())
    ]
