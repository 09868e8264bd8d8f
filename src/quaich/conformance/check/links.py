"""What an HTML page refers to: references, and forms with the values that they begin with.

Everything is as it stands in the page; ``targets.py`` resolves it, and decides what is followed.
"""

import codecs
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Final

# The attribute with the reference, by element.
_REFERENCE: Final = {
    "a": "href",
    "area": "href",
    "audio": "src",
    "embed": "src",
    "iframe": "src",
    "img": "src",
    "link": "href",
    "script": "src",
    "source": "src",
    "video": "src",
}
_HTML: Final = ("text/html", "application/xhtml+xml")
_CHARSET: Final = re.compile(r""";[ \t]*charset=["']?([A-Za-z0-9_.:+-]+)""", re.IGNORECASE)

_NO_REFERENCE: Final = re.compile(r"&(?=[A-Za-z0-9]+=)")

# Codecs of Python that no page is in. They raise, warn, or take a long time over other content.
_NO_CHARSETS: Final = ("idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape")

# Octets that are looked at: enough for what people read.
PAGE_MAX: Final = 512 * 1024

# Kinds of <input> that a form does not send, or only if they were clicked.
_UNSENT: Final = ("button", "image", "reset")


@dataclass
class Form:
    """A form, and what a browser would send if somebody did nothing but press its button."""

    action: str
    method: str  # GET or POST
    multipart: bool
    fields: list[tuple[str, str]] = field(default_factory=list)
    files: set[str] = field(default_factory=set)  # names of fields
    has_button: bool = False


@dataclass
class _Select:
    name: str
    multiple: bool
    options: list[tuple[str, bool]] = field(default_factory=list)  # value, selected

    def chosen(self) -> list[str]:
        chosen = [value for value, selected in self.options if selected]
        if self.multiple:
            return chosen
        return (chosen or [value for value, _ in self.options[:1]])[-1:]


class Page(HTMLParser):
    """``base``: the href of the first <base>; ``references`` and ``forms`` in their order."""

    def __init__(self) -> None:
        super().__init__()
        self.base = ""
        self.references: list[str] = []
        self.forms: list[Form] = []
        # Those that are open
        self._form: Form | None = None
        self._select: _Select | None = None
        self._option: dict[str, str] | None = None
        self._area: str | None = None  # the name of a <textarea>
        self._text: list[str] = []  # of option or textarea

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        # The first of two attributes of the same name counts.
        attributes = {name: value or "" for name, value in reversed(attrs)}
        reference = _REFERENCE.get(tag)
        if reference is not None:
            if reference in attributes:
                self.references.append(attributes[reference])
        elif tag == "base":
            self.base = self.base or attributes.get("href", "")
        elif tag == "form":
            self._open_form(attributes)
        elif self._form is not None:
            self._open_field(self._form, tag, attributes)

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._close_select()
            self._form = None
        elif tag == "option":
            self._close_option()
        elif tag == "select":
            self._close_select()
        elif tag == "textarea" and self._area is not None:
            # HTML leaves out a line feed right after <textarea>.
            text = "".join(self._text).removeprefix("\r").removeprefix("\n")
            self._add(self._area, text)
            self._area = None

    def take(self, text: str) -> None:
        """The whole page, in place of feed() and close()."""
        # Not close(): over what is not closed at the end it takes a time that grows with the
        # square of the length, or worse, and what it finds there is no element for HTML. An end
        # tag after the page makes feed() hand out the text before it.
        self.feed(f"{text}</html>")
        self._close_select()

    def handle_data(self, data: str) -> None:
        if self._option is not None or self._area is not None:
            self._text.append(data)

    def _open_form(self, attributes: dict[str, str]) -> None:
        if self._form is not None:  # a form within a form: HTML ignores the inner tag
            return
        method = attributes.get("method", "").strip().upper()
        self._form = Form(
            attributes.get("action", ""),
            "POST" if method == "POST" else "GET",
            attributes.get("enctype", "").strip().lower() == "multipart/form-data",
        )
        if method != "DIALOG":  # which sends nothing
            self.forms.append(self._form)

    def _open_field(self, form: Form, tag: str, attributes: dict[str, str]) -> None:
        if tag == "option":
            self._close_option()
            self._option, self._text = attributes, []
        elif "disabled" in attributes:
            return
        elif tag == "select":
            self._close_select()
            self._select = _Select(attributes.get("name", ""), "multiple" in attributes)
        elif tag == "textarea":
            self._area, self._text = attributes.get("name", ""), []
        elif tag == "input":
            self._input(form, attributes.get("type", "text").strip().lower(), attributes)
        elif tag == "button" and attributes.get("type", "submit").strip().lower() == "submit":
            self._input(form, "submit", attributes)

    def _input(self, form: Form, kind: str, attributes: dict[str, str]) -> None:
        name, value = attributes.get("name", ""), attributes.get("value", "")
        if kind in _UNSENT:
            return
        if kind == "submit":
            if form.has_button:
                return
            form.has_button = True
        elif kind in ("checkbox", "radio"):
            if "checked" not in attributes:
                return
            value = attributes.get("value", "on")
        elif kind == "file":
            form.files.add(name)
            value = ""
        self._add(name, value)

    def _close_option(self) -> None:
        if self._option is not None and self._select is not None:
            value = self._option.get("value", " ".join("".join(self._text).split()))
            if "disabled" not in self._option:
                self._select.options.append((value, "selected" in self._option))
        self._option = None

    def _close_select(self) -> None:
        self._close_option()
        if self._select is not None:
            for value in self._select.chosen():
                self._add(self._select.name, value)
        self._select = None

    def _add(self, name: str, value: str) -> None:
        if name and self._form is not None:
            self._form.fields.append((name, value))


def parse_page(page: bytes, content_type: str) -> Page:
    """What is in a page; empty if it is no HTML. Raises nothing, whatever the page is."""
    parsed = Page()
    if content_type.partition(";")[0].strip().lower() not in _HTML:
        return parsed
    # For HTML "<![" begins a comment, and "&copy=" in an attribute is no reference to a character;
    # some versions of html.parser stumble over the one and misread the other.
    text = _decode(page[:PAGE_MAX], content_type).replace("<![", "<!-[")
    text = _NO_REFERENCE.sub("&amp;", text)
    try:
        parsed.take(text)
    except (AssertionError, ValueError):
        # html.parser gives up with the one, and with the other over a reference to a character
        # of more than 4300 digits. What it has found so far counts.
        pass
    return parsed


def _decode(page: bytes, content_type: str) -> str:
    named = _CHARSET.search(content_type)
    try:
        charset = codecs.lookup(named[1]).name if named else "utf-8"
        if charset not in _NO_CHARSETS:
            return page.decode(charset, "replace")
    except (LookupError, ValueError):  # unknown; no encoding of text; or it cannot replace
        pass
    return page.decode("utf-8", "replace")
