"""Words and characters that several formats share."""

from collections.abc import Sequence


def visible(text: str, keep: str = "") -> str:
    """The text with escapes, as ``repr()`` writes them, for what is not printable and not in
    ``keep``.

    A control character in a message could move a terminal's cursor, is forbidden in XML, and a
    lone surrogate cannot be encoded at all.
    """
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() or each in keep else each.encode("unicode_escape").decode()
        for each in text
    )


def counted(number: int, noun: str) -> str:
    """A number and its noun: ``1 error``, ``2 errors``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def asked(requests: Sequence[str]) -> str:
    """Requests that showed a finding, with a blank before them; nothing if none are known."""
    return f" (asked for {', '.join(requests)})" if requests else ""


def times(count: int) -> str:
    """What stands behind a message that holds more than once."""
    return f" ({count} times)" if count > 1 else ""
