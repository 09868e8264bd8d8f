r"""Files of variables, as python-dotenv reads them, without expansion.

    NAME=VALUE            blanks around both are left out, and so is a comment after blanks
    export NAME=VALUE     as a shell would read it
    NAME="A\nB"           the escapes \n \t \r \f \v \b \a \" \' \\; it may go over lines
    NAME='A\nB'           as it is, but \' and \\; it may go over lines
    # a comment

``$NAME`` means nothing. Where python-dotenv warns of a line and leaves it out, here is an error.
"""

import re
from typing import Final

_ENTRY: Final = re.compile(
    r"""
    (?:export[^\S\r\n]+)?+
    (?: '(?P<quoted_name>[^'=\r\n]+)' | (?P<name>[^=\#\s'][^=\#\s]*) )
    [^\S\r\n]* =
    (?:
        [^\S\r\n]* '(?P<single>(?:\\.|[^'\\])*)' (?P<rest>[^\r\n]*)
      | [^\S\r\n]* "(?P<double>(?:\\.|[^"\\])*)" (?P<more>[^\r\n]*)
      | (?P<bare>[^\r\n]*)
    )
    """,
    re.VERBOSE | re.DOTALL,
)
_BLANK: Final = re.compile(r"[^\S\r\n]*(?:\#[^\r\n]*)?(?:\r\n|\r|\n|\Z)")
_BLANKS: Final = re.compile(r"[^\S\r\n]*")
_COMMENT: Final = re.compile(r"\s+\#.*")  # without a blank before it, it belongs to the value

_SINGLE_ESCAPE: Final = re.compile(r"\\([\\'])")
_DOUBLE_ESCAPE: Final = re.compile(r"\\([\\'\"abfnrtv])")
_ESCAPED: Final = {
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
}


def parse_env_file(text: str) -> dict[str, str]:
    """The variables in a file, the last one of a name; ValueError names the line that is wrong."""
    text = text.removeprefix("\N{BOM}")
    variables: dict[str, str] = {}
    place = 0
    while place < len(text):
        blank = _BLANK.match(text, place)
        if blank is not None:
            place = blank.end()
            continue
        start = _BLANKS.match(text, place).end()  # type: ignore[union-attr]  # it matches nothing
        entry = _ENTRY.match(text, start)
        if entry is None:
            raise _wrong(text, start, "it is not NAME=VALUE")
        value = _value(entry)
        if value is None:
            raise _wrong(text, start, "a quote is not closed, or something follows it")
        name = entry["quoted_name"] or entry["name"]
        if "\0" in name + value:
            raise _wrong(text, start, "a variable has no NUL character")
        variables[name] = value
        place = entry.end()
    return variables


def _value(entry: re.Match[str]) -> str | None:
    """The value of an entry; None if its quotes are wrong."""
    if entry["bare"] is not None:
        bare = _COMMENT.sub("", entry["bare"]).strip()
        return None if bare.startswith(("'", '"')) else bare
    if not _BLANK.fullmatch(entry["rest"] or entry["more"] or ""):
        return None
    if entry["single"] is not None:
        return _SINGLE_ESCAPE.sub(r"\1", entry["single"])
    return _DOUBLE_ESCAPE.sub(lambda found: _ESCAPED.get(found[1], found[1]), entry["double"])


def _wrong(text: str, place: int, reason: str) -> ValueError:
    lines = re.split("\r\n|\r|\n", text[:place])
    return ValueError(f"line {len(lines)}: {reason}")
