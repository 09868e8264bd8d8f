"""A value for a schema: what somebody might send who knows only the description.

Examples and defaults come first, then the smallest value of the type. References are followed
within the document, as far as they do not lead back to themselves.
"""

import json
import math
import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import unquote

# Schemas that refer to each other can ask for values without end, or for 2**n of them.
_DEPTH_MAX: Final = 24
_VALUES_MAX: Final = 1000  # in one value

_LENGTH_MAX: Final = 10_000  # characters of a text whose minLength asks for more
_ITEMS_MAX: Final = 20  # of an array whose minItems asks for more

_FORMATS: Final = {
    "byte": "dGV4dA==",
    "date": "2024-01-31",
    "date-time": "2024-01-31T12:00:00Z",
    "duration": "P1D",
    "email": "someone@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "time": "12:00:00Z",
    "uri": "http://example.com/",
    "uri-reference": "/",
    "url": "http://example.com/",
    "uuid": "6f1c0d4e-8f5b-4c7a-9d2e-3b1a5c7e9f01",
}

_INDEX: Final = re.compile(r"0|[1-9][0-9]{0,8}")


class DocumentError(ValueError):
    """A document that cannot be understood. ``place``: where in it, as a JSON pointer with ``#``
    in front, or the name of the file."""

    def __init__(self, problem: str, place: str) -> None:
        super().__init__(f"{place}: {problem}")
        self.problem = problem
        self.place = place


class Place(NamedTuple):
    """A place in a document, and what has to be there."""

    pointer: str

    def __str__(self) -> str:
        return self.pointer

    def __truediv__(self, name: str | int) -> "Place":
        # RFC 6901, 3
        return Place(f"{self.pointer}/{str(name).replace('~', '~0').replace('/', '~1')}")

    def object(self, value: Any) -> Mapping[str, Any]:
        """The value, if it is an object."""
        if not isinstance(value, dict):
            raise DocumentError("an object has to be here", self.pointer)
        return value

    def array(self, value: Any) -> list[Any]:
        """The value, if it is an array."""
        if not isinstance(value, list):
            raise DocumentError("an array has to be here", self.pointer)
        return value

    def string(self, value: Any) -> str:
        """The value, if it is a string."""
        if not isinstance(value, str):
            raise DocumentError("a string has to be here", self.pointer)
        return value


def member(value: Mapping[str, Any], name: str, place: Place) -> Mapping[str, Any]:
    """An object in an object, empty if it is missing."""
    return (place / name).object(value.get(name, {}))


def text_of(value: Any) -> str:
    """A value in a path, a query or a form."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return ",".join(map(text_of, value))
    if isinstance(value, dict):
        return ",".join(f"{name},{text_of(each)}" for name, each in value.items())
    return json.dumps(value)


class _Nothing:
    """No example is given: ``null`` would be one."""


_NOTHING: Final = _Nothing()


class Values:
    """Makes values for the schemas of a document."""

    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root
        self._left = 0  # values that the current one may still have

    # --- References ---

    def follow(self, value: Any, place: Place) -> tuple[Mapping[str, Any], Place]:
        """An object, or what its ``$ref`` refers to, and where that is. What stands beside
        ``$ref`` counts as well."""
        found = place.object(value)
        beside: dict[str, Any] = {}
        seen = set()
        while isinstance(found.get("$ref"), str):
            reference = found["$ref"]
            if reference in seen:
                raise DocumentError(f"{reference} refers to itself", str(place))
            seen.add(reference)
            beside = {key: each for key, each in found.items() if key != "$ref"} | beside
            found, place = self._look_up(reference, place)
        return ({**found, **beside} if beside else found), place

    def _look_up(self, reference: str, place: Place) -> tuple[Mapping[str, Any], Place]:
        if not reference.startswith("#"):
            raise DocumentError(
                f"{reference} is in another file; only references into the same are followed",
                str(place),
            )
        found: Any = self._root
        for name in unquote(reference[1:]).split("/")[1:]:
            name = name.replace("~1", "/").replace("~0", "~")
            if isinstance(found, dict) and name in found:
                found = found[name]
            elif isinstance(found, list) and _INDEX.fullmatch(name) and int(name) < len(found):
                found = found[int(name)]
            else:
                raise DocumentError(f"there is no {reference}", str(place))
        if reference[1:2] not in ("", "/"):  # the name of an anchor
            raise DocumentError(f"{reference} is no JSON pointer", str(place))
        if not isinstance(found, dict):
            raise DocumentError(f"{reference} is no object", str(place))
        return found, Place(reference)

    # --- Values ---

    def of_parameter(
        self, parameter: Mapping[str, Any], place: Place, is_content: bool = False
    ) -> Any:
        """The value of a parameter. One of Swagger 2.0 is its own schema."""
        example = self.example_of(parameter, place)
        if not isinstance(example, _Nothing):
            return example
        if "schema" in parameter:
            return self.of_schema(parameter["schema"], place / "schema", not is_content)
        if "content" in parameter:
            for kind, medium in member(parameter, "content", place).items():
                its_place = place / "content" / kind
                return json.dumps(self.of_medium(its_place.object(medium), its_place))
        return self.of_schema(parameter, place, not is_content)

    def of_medium(self, medium: Mapping[str, Any], place: Place) -> Any:
        """The value of a Media Type Object: content, or a parameter that has one."""
        example = self.example_of(medium, place)
        if not isinstance(example, _Nothing):
            return example
        return self.of_schema(medium.get("schema", {"type": "object"}), place / "schema")

    def example_of(self, holder: Mapping[str, Any], place: Place) -> Any:
        """The first example, by any of the ways to give one; an object of a private class if
        there is none."""
        for name in ("example", "x-example"):
            if name in holder:
                return holder[name]
        examples = holder.get("examples")
        if isinstance(examples, list):  # JSON Schema
            return examples[0] if examples else _NOTHING
        for name, example in examples.items() if isinstance(examples, dict) else ():
            found, _ = self.follow(example, place / "examples" / name)
            if "value" in found:
                return found["value"]
        return _NOTHING

    def of_schema(self, schema: Any, place: Place, is_parameter: bool = False) -> Any:
        """A value for a schema. An array that is a parameter has an item: without one, the
        parameter would not be there."""
        self._left = _VALUES_MAX
        return self._value(schema, place, (), int(is_parameter))

    def files(self, schema: Any, place: Place) -> list[str]:
        """The names of the properties that are files, not texts."""
        if not isinstance(schema, dict):
            return []
        names = []
        schema, place = self.follow(schema, place)
        for name, each in member(schema, "properties", place).items():
            if isinstance(each, dict):
                each, _ = self.follow(each, place / "properties" / name)
                if each.get("format") == "binary" or "contentMediaType" in each:
                    names.append(name)
        return names

    def _value(self, schema: Any, place: Place, above: tuple[str, ...], items: int = 0) -> Any:
        """``above``: the places of the schemas that this one is within."""
        self._left -= 1
        if isinstance(schema, bool):  # JSON Schema: anything, or nothing
            return None
        schema, place = self.follow(schema, place)
        if str(place) in above or len(above) >= _DEPTH_MAX or self._left < 0:
            return None
        above = (*above, str(place))
        given = self._given(schema, place)
        if not isinstance(given, _Nothing):
            return given
        if isinstance(schema.get("allOf"), list):
            return self._all_of(schema, place, above, items)
        for name in ("oneOf", "anyOf"):
            choices = schema.get(name)
            if isinstance(choices, list) and choices:
                return self._value(choices[0], place / name / 0, above, items)
        return self._of_type(schema, place, above, items)

    def _given(self, schema: Mapping[str, Any], place: Place) -> Any:
        for name in ("const", "default"):
            if name in schema:
                return schema[name]
        example = self.example_of(schema, place)
        if not isinstance(example, _Nothing):
            return example
        choices = schema.get("enum")
        return choices[0] if isinstance(choices, list) and choices else _NOTHING

    def _all_of(
        self, schema: Mapping[str, Any], place: Place, above: tuple[str, ...], items: int
    ) -> Any:
        values = [
            self._value(each, place / "allOf" / index, above, items)
            for index, each in enumerate(schema["allOf"])
        ]
        if "properties" in schema:
            values.append(self._object(schema, place, above))
        objects = [value for value in values if isinstance(value, dict)]
        if objects:
            return {name: value for each in objects for name, value in each.items()}
        return next((value for value in values if value is not None), None)

    def _of_type(
        self, schema: Mapping[str, Any], place: Place, above: tuple[str, ...], items: int
    ) -> Any:
        kind = schema.get("type")
        if isinstance(kind, list):  # OpenAPI 3.1
            kind = next((each for each in kind if each != "null"), "null")
        if kind == "object" or (kind is None and "properties" in schema):
            return self._object(schema, place, above)
        if kind == "array" or (kind is None and "items" in schema):
            wanted = max(items, int(_number(schema, "minItems") or 0))
            inner = schema.get("items", {})
            return [
                self._value(inner, place / "items", above) for _ in range(min(wanted, _ITEMS_MAX))
            ]
        if kind in ("integer", "number"):
            return _in_range(schema)
        if kind == "boolean":
            return True
        return None if kind == "null" else _text(schema)

    def _object(
        self, schema: Mapping[str, Any], place: Place, above: tuple[str, ...]
    ) -> dict[str, Any]:
        properties = member(schema, "properties", place)
        required = schema.get("required")
        made: dict[str, Any] = {}
        for name in required if isinstance(required, list) else ():
            if not isinstance(name, str) or self._left < 0:
                continue
            inner = properties.get(name, {})
            if isinstance(inner, dict) and inner.get("readOnly") is True:  # only in responses
                continue
            made[name] = self._value(inner, place / "properties" / name, above)
        return made


def _number(schema: Mapping[str, Any], name: str) -> int | float | None:
    number = schema.get(name)
    if isinstance(number, float):
        return number if math.isfinite(number) else None
    return number if isinstance(number, int) and not isinstance(number, bool) else None


def _in_range(schema: Mapping[str, Any]) -> int:
    """1, or the whole number next to it that ``minimum`` and ``maximum`` allow."""
    value = 1
    low, high = _number(schema, "minimum"), _number(schema, "maximum")
    # OpenAPI 3.1 has numbers here; before, they were true or false and spoke of the others.
    above, below = _number(schema, "exclusiveMinimum"), _number(schema, "exclusiveMaximum")
    above = low if schema.get("exclusiveMinimum") is True else above
    below = high if schema.get("exclusiveMaximum") is True else below
    if high is not None:
        value = min(value, math.floor(high))
    if below is not None:
        value = min(value, math.ceil(below) - 1)
    if low is not None:
        value = max(value, math.ceil(low))
    if above is not None:
        value = max(value, math.floor(above) + 1)
    return value


def _text(schema: Mapping[str, Any]) -> str:
    form = schema.get("format")
    if isinstance(form, str) and form in _FORMATS:
        return _FORMATS[form]
    least, most = _number(schema, "minLength"), _number(schema, "maxLength")
    length = min(max(int(least or 0), len("string")), _LENGTH_MAX)
    if most is not None:
        length = min(length, max(int(most), 0))
    return ("string" * (length // len("string") + 1))[:length]
