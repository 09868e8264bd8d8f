"""The requests that are made of an application: what one is, and where they come from.

A :class:`Target` is always legal by RFC 3986: whoever makes one encodes with
:func:`encode_path` and :func:`encode_query`, and its constructor refuses all else.

    parse_path     from the command line
    links          from a page of the application
    Crawl          from all the pages that links lead to
    openapi.py     from a description of the application

How they are sent is not known here.
"""

import re
from collections import Counter, deque
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote, quote_plus, unquote, urljoin, urlsplit

from quaich.conformance.check.links import Form, parse_page

FORM: Final = "application/x-www-form-urlencoded"
MULTIPART: Final = "multipart/form-data"
JSON: Final = "application/json"

# RFC 9110, 5.6.2: token
_TOKEN: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_METHOD: Final = re.compile(_TOKEN)
# RFC 9110, 8.3.1: media-type; the parameters are looked at no further than that they fit a field.
_MEDIA_TYPE: Final = re.compile(rf"{_TOKEN}/{_TOKEN}(?:[ \t]*;[\t\x20-\x7e]*)?")
# RFC 3986, 3.3 and 3.4: pchar = unreserved / pct-encoded / sub-delims / ":" / "@"
_PCHAR: Final = r"[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2}"
_PATH: Final = re.compile(rf"/(?:{_PCHAR}|/)*")
_QUERY: Final = re.compile(rf"(?:{_PCHAR}|[/?])*")

_SAFE_IN_PATH: Final = "/!$&'()*+,;=:@%"
_SAFE_IN_QUERY: Final = _SAFE_IN_PATH + "?"
_LONE_PERCENT: Final = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_BOUNDARY: Final = "form-of-quaich"

# Where pages seem to come from, so that references can be resolved. Nobody can have this name
# (RFC 6761, 6.4), so that what refers to a host leads elsewhere.
ORIGIN: Final = "http://application.invalid"

# Calendars and lists in pages have a link to the next one for ever.
QUERIES_MAX: Final = 3  # pages that differ in the query only
DEPTH_MAX: Final = 8  # links to follow from one of the first pages

# What is not followed, for it would change something, or end a session.
_DESTRUCTIVE: Final = re.compile(
    r"(?:log|sign)[-_ ]?(?:out|off)|delete|remove|destroy|unsubscribe", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Target:
    """A request to make. Two are equal if they ask for the same, wherever they were found."""

    method: str
    path: str  # percent-encoded, begins with "/"
    query: str = ""  # percent-encoded, without the "?"
    content: bytes = b""
    content_type: str = ""
    source: str = field(default="", compare=False)  # for people: "--path", "link of /x"

    def __post_init__(self) -> None:
        if not _METHOD.fullmatch(self.method):
            raise ValueError(f"{self.method!r} is no method")
        if not _PATH.fullmatch(self.path):
            raise ValueError(f"{self.path!r} is no path that can be sent: it is not encoded")
        if not _QUERY.fullmatch(self.query):
            raise ValueError(f"{self.query!r} is no query that can be sent: it is not encoded")
        if self.content_type and not is_media_type(self.content_type):
            raise ValueError(f"{self.content_type!r} is no media type")

    @property
    def request_target(self) -> str:
        """Path and query, as they stand in the request line."""
        return f"{self.path}?{self.query}" if self.query else self.path

    def __str__(self) -> str:
        return f"{self.method} {self.request_target}"


def is_media_type(text: str) -> bool:
    """Whether it can be the value of Content-Type."""
    return _MEDIA_TYPE.fullmatch(text) is not None


# --- Encoding ----------------------------------------------------------------------------------


def encode_path(text: str) -> str:
    """A path with all percent-encoded that has to be. ``%41`` stays what it is."""
    return _encode(text, _SAFE_IN_PATH)


def encode_query(text: str) -> str:
    """A query with all percent-encoded that has to be. ``%41`` stays what it is."""
    return _encode(text, _SAFE_IN_QUERY)


def _encode(text: str, safe: str) -> str:
    return quote(_LONE_PERCENT.sub(b"%25", octets(text)), safe=safe)


def octets(text: str) -> bytes:
    """Text as UTF-8, whatever it holds: an argument of the command line that is not UTF-8 comes
    with surrogates for its octets, and JSON may name a surrogate that stands alone."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def encode_pairs(pairs: Iterable[tuple[str, str]]) -> str:
    """Names and values as in ``application/x-www-form-urlencoded``; they fit into a query."""
    return "&".join(
        f"{quote_plus(octets(name))}={quote_plus(octets(value))}" for name, value in pairs
    )


def encode_form(
    pairs: Collection[tuple[str, str]], multipart: bool = False, files: Collection[str] = ()
) -> tuple[bytes, str]:
    """The content of a form, and its Content-Type. ``files``: names of fields that are files."""
    if not multipart:
        return encode_pairs(pairs).encode("ascii"), FORM
    parts = [_part(name, value, name in files) for name, value in pairs]
    boundary = _BOUNDARY
    while any(boundary.encode("ascii") in part for part in parts):
        boundary += "x"
    lines = [b"--%b\r\n%b\r\n" % (boundary.encode("ascii"), part) for part in parts]
    content = b"".join([*lines, b"--%b--\r\n" % boundary.encode("ascii")])
    return content, f"{MULTIPART}; boundary={boundary}"


def _part(name: str, value: str, is_file: bool) -> bytes:
    # The three characters are encoded as browsers do it (HTML, multipart/form-data encoding).
    for character, code in (("\r", "%0D"), ("\n", "%0A"), ('"', "%22")):
        name = name.replace(character, code)
    head = b'Content-Disposition: form-data; name="%b"' % octets(name)
    if is_file:
        head += b'; filename="%b"' % (b"file" if value else b"")
        head += b"\r\nContent-Type: application/octet-stream"
    return head + b"\r\n\r\n" + octets(value)


# --- The command line --------------------------------------------------------------------------


def parse_path(text: str) -> Target:
    """A target as ``--path`` names it: ``/a b?x=1``, ``POST /form``, ``POST /form a=1&b=2``.

    What follows a blank is content, unless the method is GET or HEAD, or there is none: then the
    blank is one of the path or query. Raises :class:`ValueError`, with a text for people.
    """
    method, target, content = _split(text)
    if not target.startswith("/"):
        raise ValueError(_what_is_wrong(text, target))
    if _CONTROL.search(method + target):
        raise ValueError(f"{text!r} has a control character; if it is meant, write it as %XX")
    if "#" in target:
        raise ValueError(
            f"{text!r} has a fragment, which is never sent; write %23 if the character # is meant"
        )
    if not _METHOD.fullmatch(method):
        raise ValueError(f"{method!r} is no method")
    path, _, query = target.partition("?")
    content_type = ""
    if content.startswith(("{", "[")):
        content_type = JSON
    elif content:
        content_type = FORM
        content = encode_query(content)
    return Target(
        method, encode_path(path), encode_query(query), octets(content), content_type, "--path"
    )


def _split(text: str) -> tuple[str, str, str]:
    """Method, target and content, none of them checked."""
    text = text.strip(" ")
    if text.startswith("/"):
        return "GET", text, ""
    method, _, rest = text.partition(" ")
    method = method.upper()
    rest = rest.strip(" ")
    if method in ("GET", "HEAD"):
        return method, rest, ""
    target, _, content = rest.partition(" ")
    return method, target, content.strip(" ")


def _what_is_wrong(text: str, target: str) -> str:
    """With a target that does not begin with a slash."""
    if not text.strip():
        return "there is no path; write one that begins with /, such as /search?q=x"
    if "://" in text.partition("?")[0]:
        return f"{text!r} is a URL; write what follows the host, beginning with /"
    if target:
        return f"the path {target!r} does not begin with /"
    return f"{text!r} does not begin with /, nor with a method and a path, such as POST /form"


# --- Links -------------------------------------------------------------------------------------


def resolve(reference: str, base: str, origin: str = ORIGIN) -> tuple[str, str] | None:
    """Path and query, encoded, that a reference in a page leads to; None if it leads away from
    the origin. ``base`` is a URL. Raises nothing."""
    try:
        home = urlsplit(origin)
        there = urlsplit(urljoin(base, reference.strip()))
    except ValueError:  # such as an address of IPv6 without its end
        return None
    if (there.scheme, there.netloc.lower()) != (home.scheme, home.netloc.lower()):
        return None
    if not there.path.startswith("/"):
        return ("/", encode_query(there.query)) if there.netloc and not there.path else None
    return encode_path(there.path), encode_query(there.query)


def links(
    page: bytes, content_type: str, path: str, *, forms: bool = False, origin: str = ORIGIN
) -> list[Target]:
    """Where a page leads to within the application, each once, without the page itself.

    ``path`` is that of the page, with its query if there is one. ``forms``: forms that are sent
    with POST as well. Whatever looks as if it deleted something or ended a session is left out.
    Raises nothing.
    """
    parsed = parse_page(page, content_type)
    here = f"{origin}/{encode_query(path).removeprefix('/')}"
    base = _join(here, parsed.base)
    found: list[Target] = []
    for reference in parsed.references:
        place = resolve(reference, base, origin)
        if place is not None:
            found.append(Target("GET", *place, source=f"link of {path}"))
    for form in parsed.forms:
        # Without an action it goes to the page itself, not to the base.
        place = resolve(form.action, base if form.action.strip() else here, origin)
        if place is not None and (forms or form.method == "GET"):
            found.append(_sent(form, *place, f"form of {path}"))
    own = resolve("", here, origin)
    return [
        target
        for target in dict.fromkeys(found)
        if not _is_destructive(target)
        and not (target.method == "GET" and (target.path, target.query) == own)
    ]


def _is_destructive(target: Target) -> bool:
    return _DESTRUCTIVE.search(unquote(target.request_target)) is not None


def _join(here: str, base: str) -> str:
    try:
        return urljoin(here, base)
    except ValueError:
        return here


def _sent(form: Form, path: str, query: str, source: str) -> Target:
    if form.method == "GET":  # its fields take the place of the query
        return Target("GET", path, encode_pairs(form.fields), source=source)
    content, content_type = encode_form(form.fields, form.multipart, form.files)
    return Target("POST", path, query, content, content_type, source)


class Crawl:
    """Targets, the first ones and then what their pages lead to, in the order of their distance.

    ``most``: how many altogether; the first ones are asked for, so they are given even if they
    are more. ``depth``: how many links away from them. Of pages that differ only in the query
    there are three at most. Iterate over it, and :meth:`add` each page that came back.
    """

    def __init__(
        self,
        first: Iterable[Target],
        most: int = 50,
        *,
        depth: int = DEPTH_MAX,
        forms: bool = False,
        origin: str = ORIGIN,
    ) -> None:
        self._most = most
        self._depth = depth
        self._forms = forms
        self._origin = origin
        self._to_do: deque[Target] = deque()
        self._depths: dict[Target, int] = {}  # of all that were seen, done or not
        self._queries: Counter[tuple[str, str]] = Counter()  # by method and path
        self._left_out: set[Target] = set()
        for target in first:
            if target not in self._depths:
                self._take(target, 0)

    def __iter__(self) -> Iterator[Target]:
        while self._to_do:
            yield self._to_do.popleft()

    @property
    def left_out(self) -> int:
        """How many targets were found and not taken, for one of the limits."""
        return len(self._left_out)

    def add(
        self, target: Target, response_body: bytes, content_type: str, location: str = ""
    ) -> None:
        """Take what a page leads to. ``location``: the Location of the response, if it is a
        redirect."""
        depth = self._depths.get(target, 0) + 1
        page = target.request_target
        found = links(response_body, content_type, page, forms=self._forms, origin=self._origin)
        place = resolve(location, self._origin + page, self._origin) if location else None
        if place is not None:
            found.insert(0, Target("GET", *place, source=f"redirect of {page}"))
        for each in found:
            if each in self._depths or _is_destructive(each):
                continue
            if (
                depth > self._depth
                or len(self._depths) >= self._most
                or self._queries[each.method, each.path] >= QUERIES_MAX
            ):
                self._left_out.add(each)
            else:
                self._take(each, depth)

    def _take(self, target: Target, depth: int) -> None:
        self._depths[target] = depth
        self._queries[target.method, target.path] += 1
        self._to_do.append(target)
