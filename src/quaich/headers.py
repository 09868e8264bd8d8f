"""Response headers as a mapping over the list that WSGI passes around.

The interface is that of ``wsgiref.headers``: names are case-insensitive, a missing header is
``None`` and never a ``KeyError``, and the wrapped list is the caller's own.
"""

import re
from collections.abc import Iterable, Iterator, MutableMapping
from typing import Any, overload
from urllib.parse import quote

from quaich.protocol.memo import ENTRY_MAX, PRIVATE, remember
from quaich.protocol.response import control_fault

# The names that "import *" gives; wsgiref.headers has no __all__, and gives these.
__all__ = ["Headers", "re", "tspecials"]

tspecials = re.compile(r"[ ()<>@,;:\\\"/\[\]?=]")
"""Characters that force quotation marks around a MIME parameter's value (RFC 2045)."""


def _formatparam(param: str, value: str | None = None, quote: bool | int = 1) -> str:
    """``param="value"``; without quotation marks if ``quote`` is false and none are needed;
    only ``param`` if there is no value."""
    if not value:
        return param
    if quote or tspecials.search(value):
        if "\\" in value or '"' in value:
            value = value.replace("\\", "\\\\").replace('"', r"\"")
        return f'{param}="{value}"'
    return f"{param}={value}"


def _extended_param(param: str, value: str) -> str:
    """A parameter that ASCII cannot hold: ``filename*=UTF-8''na%C3%AFve.txt`` (RFC 8187)."""
    return f"{param}*=UTF-8''{quote(value, safe='!#$&+-.^_`|~', encoding='utf-8')}"


# Fields that have been checked, because the same few are given again and again.
_sound: dict[tuple[str, str], bool] = {}


def _wrong_type(value: object) -> AssertionError:
    return AssertionError(f"Header names/values must be of type str (got {value!r})")


class Headers(MutableMapping[str, Any]):
    """A mutable mapping over a list of ``(name, value)`` tuples.

    ``headers`` must be a ``list`` (TypeError otherwise) and is wrapped, not copied: changes
    here are seen there. Its items are pairs (ValueError) of ``str`` (AssertionError), without
    control characters (ValueError); a value may hold HTAB.

    Unlike a dictionary, it keeps repeated names in their order; ``len()``, iteration,
    ``keys()``, ``values()`` and ``items()`` show every field. ``h[name]`` is the first value
    or None; setting a name removes all its fields and appends one; deleting a name that is
    not there does nothing. Two instances are equal if they hold the same fields in the same
    order, whatever the case of the names.

    PEP 3333, The start_response() Callable.
    """

    def __init__(self, headers: list[tuple[str, str]] | None = None) -> None:
        if headers is None:
            headers = []
        elif type(headers) is not list:
            raise TypeError("Headers must be a list of name/value tuples")
        for item in headers:
            name, value = item
            if type(name) is not str or type(value) is not str or type(item) is not tuple:
                self._check(name, value)
            elif item not in _sound:
                self._check(name, value)
                if len(name) + len(value) <= ENTRY_MAX and name.lower() not in PRIVATE:
                    remember(_sound, item, True)
        self._headers = headers

    def _convert_string_type(self, value: str, *, name: bool = False) -> str:
        """The value, if it may stand in a header (as its name, if ``name``)."""
        if type(value) is not str:
            raise _wrong_type(value)
        # isprintable() is false for every control character, and for little else.
        if not value.isprintable():
            fault = control_fault(value, name=name)
            if fault is not None:
                raise fault.exception()
        return value

    def _check(self, name: str, value: str) -> tuple[str, str]:
        return self._convert_string_type(name, name=True), self._convert_string_type(value)

    def __len__(self) -> int:
        """The number of fields, repeated ones included."""
        return len(self._headers)

    def __iter__(self) -> Iterator[str]:
        """The names in their order, repeated ones included."""
        return iter(self.keys())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Headers):
            return NotImplemented
        return [(name.lower(), value) for name, value in self._headers] == [
            (name.lower(), value) for name, value in other._headers
        ]

    __hash__ = None  # type: ignore[assignment]  # mutable, so not hashable, like dict

    def __getitem__(self, name: str) -> str | None:
        """The first value of ``name``, or None. See :meth:`get_all`."""
        return self.get(name)

    def __setitem__(self, name: str, val: str) -> None:
        """Remove every field ``name`` and append this one. A bad name or value changes
        nothing."""
        if not (type(name) is type(val) is str and name.isprintable() and val.isprintable()):
            self._check(name, val)
        del self[name]
        self._headers.append((name, val))

    def __delitem__(self, name: str) -> None:
        """Remove every field ``name``, if there is one."""
        key = name.lower()
        if type(key) is not str:
            raise _wrong_type(name)
        self._headers[:] = [item for item in self._headers if item[0].lower() != key]

    def __contains__(self, name: object) -> bool:
        return self.get(name) is not None  # type: ignore[call-overload]

    def get_all(self, name: str) -> list[str]:
        """Every value of ``name`` in its order; an empty list if there is none."""
        key = name.lower()
        if type(key) is not str:
            raise _wrong_type(name)
        return [value for field, value in self._headers if field.lower() == key]

    @overload  # type: ignore[override]  # the parameters have names, by wsgiref's contract
    def get(self, name: str, default: str) -> str: ...
    @overload
    def get(self, name: str, default: str | None = None) -> str | None: ...
    def get(self, name: str, default: Any = None) -> Any:
        """The first value of ``name``, or ``default``."""
        key = name.lower()
        if type(key) is not str:
            raise _wrong_type(name)
        for field, value in self._headers:
            if field.lower() == key:
                return value
        return default

    def keys(self) -> list[str]:  # type: ignore[override]  # a list, by wsgiref's contract
        """A new list of the names in their order, repeated ones included."""
        return [name for name, _ in self._headers]

    def values(self) -> list[str]:  # type: ignore[override]
        """A new list of the values in their order."""
        return [value for _, value in self._headers]

    def items(self) -> list[tuple[str, str]]:  # type: ignore[override]
        """A new list of the fields in their order."""
        return self._headers[:]

    def setdefault(self, name: str, value: str) -> str:  # type: ignore[override]
        """The first value of ``name``; if there is none, append ``value`` and return it."""
        known = self.get(name)
        if known is not None:
            return known
        if not (type(name) is type(value) is str and name.isprintable() and value.isprintable()):
            self._check(name, value)
        self._headers.append((name, value))
        return value

    def pop(self, name: str, default: Any = None) -> Any:
        """Remove every field ``name``; return the first value, or ``default``."""
        value = self.get(name, default)
        del self[name]
        return value

    def popitem(self) -> tuple[str, str]:
        """Remove and return the last field; KeyError if there is none."""
        if not self._headers:
            raise KeyError("popitem(): there is no header")
        return self._headers.pop()

    def clear(self) -> None:
        """Remove every field."""
        self._headers.clear()

    def update(self, other: Any = (), /, **kwargs: str) -> None:
        """Set fields from what has ``items()``, from pairs, and from keywords.

        A name that occurs several times in ``other`` keeps all its values, in place of those
        it had here. Nothing is changed if one of them is bad.
        """
        pairs: Iterable[tuple[str, str]] = (
            list(other.items()) if hasattr(other, "items") else list(other)
        )
        checked = [self._check(name, value) for name, value in [*pairs, *kwargs.items()]]
        replaced = {name.lower() for name, _ in checked}
        self._headers[:] = [
            item for item in self._headers if item[0].lower() not in replaced
        ] + checked

    def add_header(self, _name: str, _value: str | None, **_params: str | None) -> None:
        """Append a field, with MIME parameters as keywords.

        Underscores in a parameter's name become hyphens. A parameter whose value is None is
        its bare name, any other ``name="value"``; a value outside ASCII is written as RFC
        8187 says. ``_value`` may be None: then there are only parameters. ::

            h.add_header("content-disposition", "attachment", filename="bud.gif")
        """
        text = _value
        if text is not None and (type(text) is not str or not text.isprintable()):
            self._convert_string_type(text)
        for key, value in _params.items():
            param = key.replace("_", "-")
            if not param.isprintable():
                self._convert_string_type(param, name=True)
            if value is not None:
                if type(value) is not str or not value.isprintable():
                    self._convert_string_type(value)
                if not value.isascii():
                    param = _extended_param(param, value)
                elif '"' in value or "\\" in value:
                    param = _formatparam(param, value)
                else:
                    param = f'{param}="{value}"'  # also where the value is empty (D112)
            text = param if text is None else f"{text}; {param}"
        if type(_name) is not str or not _name.isprintable():
            self._convert_string_type(_name, name=True)
        self._headers.append((_name, text or ""))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._headers!r})"

    def __str__(self) -> str:
        """The fields as they are sent, a CRLF behind each, with the empty line at the end."""
        return "".join([f"{name}: {value}\r\n" for name, value in self._headers]) + "\r\n"

    def __bytes__(self) -> bytes:
        """``str(self)`` in ISO-8859-1; UnicodeEncodeError if that cannot encode it."""
        return str(self).encode("iso-8859-1")


def of_checked(fields: list[tuple[str, str]]) -> Headers:
    """A :class:`Headers` over items that are known to be sound: they are not checked again."""
    headers = _new(Headers)
    headers._headers = fields
    return headers


_new = Headers.__new__
