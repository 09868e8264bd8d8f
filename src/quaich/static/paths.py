"""Which file a path asks for: decided on the bytes of the path alone.

    split_path      PATH_INFO below a route → names, or None: no file is meant
    Route           a URL and the directory under it

What is refused here is so whatever the file system says: `..` and `.`, an empty name, NUL, a
backslash, hidden files, and on Windows what names a drive, a stream or a device.
"""

import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

_IS_WINDOWS: Final = sys.platform == "win32"

# A hidden file that is meant to be found (RFC 8615).
_WELL_KNOWN: Final = b".well-known"

_NEVER: Final = re.compile(rb"[\0\\]")

# A colon begins the name of a stream; dots and spaces at the end are dropped when a file is opened;
# the names of devices are taken in every directory, with any extension.
_WINDOWS_NEVER: Final = re.compile(
    rb"[:*?\"<>|\x01-\x1f]|[. ]$|^(?:con|prn|aux|nul|conin\$|conout\$"
    rb"|(?:com|lpt)(?:[0-9]|\xc2[\xb9\xb2\xb3])) *(?:\.|$)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Route:
    """``/url`` as PATH_INFO has it, bytes as latin-1, without a slash at its end, so ``""`` for
    all paths; and a directory."""

    url: str
    directory: str

    @classmethod
    def parse(cls, text: str) -> "Route":
        """From ``/URL=DIRECTORY``, the URL not percent-encoded; ValueError says what is wrong."""
        url, equals, directory = text.partition("=")
        if not url.startswith("/") or not equals or not directory:
            raise ValueError(f"{text!r} is not /URL=DIRECTORY")
        return cls(url.rstrip("/").encode("utf-8", "surrogateescape").decode("latin-1"), directory)

    def rest(self, path: str) -> str | None:
        """The part of PATH_INFO below this route, with its slash, or ``""`` for the route itself;
        None if the path is not below it: ``/static`` has nothing of ``/statics``."""
        url = self.url
        if not path.startswith(url):
            return None
        rest = path[len(url) :]
        return rest if not rest or rest[0] == "/" else None


def split_path(rest: str, is_windows: bool = _IS_WINDOWS) -> tuple[bytes, ...] | None:
    """The names that lead to what ``rest`` means, below the directory of a route; the last one is
    empty if it ends with a slash. None: it can mean no file.

    ``rest``: a part of PATH_INFO, bytes as latin-1 (PEP 3333, Unicode Issues), decoded once by the
    server and not again here.
    """
    try:
        before, *found = rest.encode("latin-1").split(b"/")
    except UnicodeEncodeError:
        return None
    names = tuple(found)
    if before or not names or not is_sound(names[:-1], is_windows):
        return None
    return names if not names[-1] or is_sound(names[-1:], is_windows) else None


def is_sound(names: Iterable[bytes], is_windows: bool = _IS_WINDOWS) -> bool:
    """Whether each is the name of a file that may be sent."""
    for name in names:
        if not name or _NEVER.search(name):
            return False
        if name.startswith(b".") and name != _WELL_KNOWN:  # ".." as well
            return False
        if is_windows and _WINDOWS_NEVER.search(name):
            return False
    return True
