"""What may have been meant by a name that is not there."""

import difflib
from collections.abc import Iterable
from typing import Final

# How alike two names must be; difflib's own 0.6 takes `err` for what `server` should have been.
_CUTOFF: Final = 0.7


def nearest(name: str, candidates: Iterable[str]) -> str | None:
    """The candidate most like a name, if one is like it at all; case does not count."""
    name = name.lower()
    by_lower = {candidate.lower(): candidate for candidate in candidates}
    # Letters in the wrong order make a short name very unlike the right one.
    found = [each for each in by_lower if sorted(each) == sorted(name)]
    found = found or difflib.get_close_matches(name, by_lower, n=1, cutoff=_CUTOFF)
    return by_lower[found[0]] if found else None
