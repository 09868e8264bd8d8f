"""The requests that a description of an application names: OpenAPI 3, or Swagger 2.0.

Every path and method becomes one target, with no more than what is required. Parameters in
headers and cookies are left out: a target has none. What values they have is in ``schemas.py``.
"""

import importlib
import json
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import quote, urljoin, urlsplit

from quaich.conformance.check.schemas import DocumentError, Place, Values, member, text_of
from quaich.conformance.check.targets import (
    FORM,
    JSON,
    MULTIPART,
    ORIGIN,
    Target,
    encode_form,
    encode_path,
    encode_query,
    is_media_type,
    octets,
)

__all__ = ["DocumentError", "load_openapi", "openapi_targets"]

_METHODS: Final = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_WITHOUT_CONTENT: Final = ("get", "head", "trace")

_JSON_TYPE: Final = re.compile(r"[^/;]+/(?:[^;]*\+)?json[ \t]*(?:;.*)?", re.IGNORECASE)
_PARAMETER: Final = re.compile(r"\{([^{}]*)\}")

# Between the items of an array: collectionFormat of Swagger 2, style of OpenAPI 3; else a comma.
_SEPARATORS: Final = {
    "pipeDelimited": "|",
    "pipes": "|",
    "spaceDelimited": " ",
    "ssv": " ",
    "tsv": "\t",
}


# --- The file ----------------------------------------------------------------------------------


def load_openapi(path: str | os.PathLike[str]) -> Any:
    """What a file in JSON or YAML holds. Raises :class:`DocumentError`.

    YAML needs the package PyYAML. What it has beyond JSON, such as dates, comes as text.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DocumentError(error.strerror or str(error), str(path)) from None
    try:
        return json.loads(data) if _is_json(path, data) else _load_yaml(data, str(path))
    except json.JSONDecodeError as error:
        place = f"{path}, line {error.lineno}, column {error.colno}"
        raise DocumentError(f"this is no JSON: {error.msg}", place) from None
    except RecursionError:
        raise DocumentError("it is nested too deeply", str(path)) from None
    except DocumentError:
        raise
    except ValueError as error:  # of the encoding, or a number of thousands of digits
        raise DocumentError(f"this cannot be read: {error}", str(path)) from None


def _is_json(path: Path, data: bytes) -> bool:
    suffix = path.suffix.lower()
    if suffix in (".json", ".yaml", ".yml"):
        return suffix == ".json"
    return data.lstrip()[:1] in (b"{", b"[")


def _load_yaml(data: bytes, name: str) -> Any:
    try:
        yaml = importlib.import_module("yaml")
    except ImportError:
        raise DocumentError(
            "YAML is read with the package PyYAML, which is not installed:"
            " pip install 'quaich[yaml]', or convert the document to JSON",
            name,
        ) from None
    try:
        document = yaml.safe_load(data)
    except Exception as error:  # PyYAML lets any through: "!!int ''" is an IndexError
        mark = getattr(error, "problem_mark", None)
        place = f"{name}, line {mark.line + 1}, column {mark.column + 1}" if mark else name
        problem = getattr(error, "problem", None) or str(error)
        raise DocumentError(f"this is no YAML: {problem}", place) from None
    # Through JSON, for what only YAML has: dates, names that are numbers (200:), values that
    # contain themselves.
    try:
        return json.loads(json.dumps(document, default=_as_text))
    except TypeError as error:
        raise DocumentError(f"this has no counterpart in JSON: {error}", name) from None


def _as_text(value: Any) -> str:
    return str(value.isoformat()) if hasattr(value, "isoformat") else str(value)


# --- The document ------------------------------------------------------------------------------


class _Document(NamedTuple):
    root: Mapping[str, Any]
    values: Values
    swagger: bool  # Swagger 2.0, not OpenAPI 3


_TOP: Final = Place("#")

_Parameters = Mapping[tuple[str, str], tuple[Mapping[str, Any], Place]]  # by in and name


class _Operation(NamedTuple):
    """One method of one path."""

    document: _Document
    path: str
    item: Mapping[str, Any]  # what is said of the path
    item_place: Place
    method: str
    itself: Mapping[str, Any]
    place: Place
    parameters: _Parameters

    @property
    def values(self) -> Values:
        return self.document.values

    def wanted(self, kind: str) -> Iterable[tuple[str, Mapping[str, Any], Place]]:
        """The parameters of a kind that are required: name, itself, place."""
        for (its_kind, name), (parameter, place) in self.parameters.items():
            if its_kind == kind and parameter.get("required") is True:
                yield name, parameter, place


def openapi_targets(document: Any) -> list[Target]:
    """A target for each path and method of a document. Raises :class:`DocumentError`, and nothing
    else, if it is not one that can be understood."""
    root = _TOP.object(document)
    about = _Document(root, Values(root), _is_swagger(root))
    return list(dict.fromkeys(map(_checked, _operations(about))))


def _version(value: Any) -> str:
    if isinstance(value, float):  # so YAML reads a version without quotation marks
        return str(value)
    return value if isinstance(value, str) else ""


def _is_swagger(root: Mapping[str, Any]) -> bool:
    version = _version(root.get("openapi"))
    if version.startswith("3."):
        return False
    version = version or _version(root.get("swagger"))
    if version == "2.0":
        return True
    raise DocumentError(
        f"this is of version {version}; OpenAPI 3 and Swagger 2.0 are understood"
        if version
        else 'this is no OpenAPI document: it has neither "openapi": "3.…" nor "swagger": "2.0"',
        str(_TOP),
    )


def _operations(document: _Document) -> Iterable[_Operation]:
    for path, value in member(document.root, "paths", _TOP).items():
        place = _TOP / "paths" / path
        if path.startswith("x-"):
            continue
        if not path.startswith("/"):
            raise DocumentError("a path begins with /", str(place))
        item, place = document.values.follow(value, place)
        common = dict(_parameters(document.values, item, place))
        for method in _METHODS:
            if method in item:
                its_place = place / method
                itself = its_place.object(item[method])
                # Those of the operation take the place of those of the path.
                parameters = common | dict(_parameters(document.values, itself, its_place))
                yield _Operation(document, path, item, place, method, itself, its_place, parameters)


def _parameters(
    values: Values, holder: Mapping[str, Any], place: Place
) -> Iterable[tuple[tuple[str, str], tuple[Mapping[str, Any], Place]]]:
    place /= "parameters"
    for index, each in enumerate(place.array(holder.get("parameters", []))):
        parameter, its_place = values.follow(each, place / index)
        kind, name = parameter.get("in"), parameter.get("name")
        if not isinstance(kind, str) or not isinstance(name, str):
            raise DocumentError("a parameter has a name, and says what it is in", str(its_place))
        yield (kind, name), (parameter, its_place)


def _checked(about: _Operation) -> Target:
    try:
        return _target(about)
    except DocumentError:
        raise
    except RecursionError:
        problem = "an example is nested too deeply"
    except (ValueError, OverflowError) as error:  # numbers that cannot be written down
        problem = f"there is a value that cannot be sent: {error}"
    raise DocumentError(problem, str(about.place))


def _prefix(about: _Operation) -> str:
    """What the path begins with."""
    root = about.document.root
    if about.document.swagger:
        base = (_TOP / "basePath").string(root.get("basePath", "")).strip("/")
        return base and f"/{base}"
    # The nearest counts.
    holders = (about.itself, about.place), (about.item, about.item_place), (root, _TOP)
    for holder, place in holders:
        place /= "servers"
        servers = place.array(holder.get("servers", []))
        if servers:
            return _path_of_server((place / 0).object(servers[0]), place / 0)
    return ""


def _path_of_server(server: Mapping[str, Any], place: Place) -> str:
    url = (place / "url").string(server.get("url", "/"))
    for name, value in member(server, "variables", place).items():
        variable = (place / "variables" / name).object(value)
        url = url.replace(f"{{{name}}}", text_of(variable.get("default", "")))
    try:
        path = urlsplit(urljoin(f"{ORIGIN}/", url)).path.strip("/")
    except ValueError as error:
        raise DocumentError(f"this is no URL: {error}", str(place / "url")) from None
    return path and f"/{path}"


def _target(about: _Operation) -> Target:
    def fill(match: re.Match[str]) -> str:
        parameter, place = about.parameters.get(("path", match[1]), ({"type": "string"}, None))
        value = about.values.of_parameter(parameter, place or about.place)
        # An empty value would make it another path.
        return quote(octets(text_of(value) or "string"), safe="")

    # A fragment is a way to describe two operations of one path.
    path, _, query = about.path.partition("#")[0].partition("?")
    path = encode_path(_prefix(about) + _PARAMETER.sub(fill, path))
    queries = [encode_query(query)] if query else []
    pairs = [
        pair
        for name, parameter, place in about.wanted("query")
        for pair in _pairs(about, name, parameter, about.values.of_parameter(parameter, place))
    ]
    if pairs:
        queries.append(encode_form(pairs)[0].decode("ascii"))
    content, content_type = _content(about)
    return Target(about.method.upper(), path, "&".join(queries), content, content_type, "openapi")


def _pairs(
    about: _Operation, name: str, parameter: Mapping[str, Any], value: Any
) -> list[tuple[str, str]]:
    """Names and values of a parameter in the query, or of a field of a form."""
    style = parameter.get("collectionFormat" if about.document.swagger else "style")
    if isinstance(value, dict):
        if style == "deepObject":
            return [(f"{name}[{key}]", text_of(each)) for key, each in value.items()]
        if parameter.get("explode") is not False:
            return [(key, text_of(each)) for key, each in value.items()]
    elif isinstance(value, list):
        exploded = parameter.get("explode") is not False
        if style == "multi" if about.document.swagger else exploded:
            return [(name, text_of(each)) for each in value]
        separator = _SEPARATORS.get(style, ",") if isinstance(style, str) else ","
        return [(name, separator.join(map(text_of, value)))]
    return [(name, text_of(value))]


# --- Content -----------------------------------------------------------------------------------


def _content(about: _Operation) -> tuple[bytes, str]:
    """The content of a request and its type; both empty where there is none."""
    if about.method in _WITHOUT_CONTENT:
        return b"", ""
    if about.document.swagger:
        return _swagger_content(about)
    if "requestBody" not in about.itself:
        return b"", ""
    body, place = about.values.follow(about.itself["requestBody"], about.place / "requestBody")
    kinds = member(body, "content", place)
    place /= "content"
    if not kinds:
        return b"", ""
    kind = min(kinds, key=_rank)
    place /= kind
    if not is_media_type(kind):
        raise DocumentError(f"{kind!r} is no media type", str(place))
    medium = place.object(kinds[kind])
    rank = _rank(kind)
    if rank in (_FORM, _MULTIPART):
        return _form(about, about.values.of_medium(medium, place), medium, place, rank)
    if rank in (_ANY, _IN_JSON):
        value = about.values.of_medium(medium, place)
        return _json(value), JSON if "*" in kind else kind
    if rank == _TEXT:
        return octets(text_of(about.values.of_medium(medium, place))), kind.replace("*", "plain")
    # Of XML, images, … there is only what an example shows.
    example = about.values.example_of(medium, place)
    content = octets(example) if isinstance(example, str) else b""
    return content, "application/octet-stream" if "*" in kind else kind


_IN_JSON, _FORM, _MULTIPART, _ANY, _TEXT, _OTHER = range(6)


def _rank(kind: str) -> int:
    """Of several types the one with the lowest rank is sent."""
    bare = kind.partition(";")[0].strip().lower()
    if _JSON_TYPE.fullmatch(kind):
        return _IN_JSON
    kinds = {FORM: _FORM, MULTIPART: _MULTIPART, "*/*": _ANY, "application/*": _ANY}
    return kinds.get(bare, _TEXT if bare in ("text/plain", "text/*") else _OTHER)


def _json(value: Any) -> bytes:
    return json.dumps(value, allow_nan=False).encode("ascii")


def _form(
    about: _Operation, value: Any, medium: Mapping[str, Any], place: Place, rank: int
) -> tuple[bytes, str]:
    pairs: list[tuple[str, str]] = []
    for name, each in value.items() if isinstance(value, dict) else ():
        for one in each if isinstance(each, list) else [each]:
            nested = isinstance(one, dict | list)
            pairs.append((name, _json(one).decode("ascii") if nested else text_of(one)))
    files = about.values.files(medium.get("schema", {}), place / "schema")
    return encode_form(pairs, rank == _MULTIPART, files)


def _swagger_content(about: _Operation) -> tuple[bytes, str]:
    holder, place = about.itself, about.place
    if "consumes" not in holder:
        holder, place = about.document.root, _TOP
    consumes = (place / "consumes").array(holder.get("consumes", []))
    kinds = [kind for kind in consumes if isinstance(kind, str) and is_media_type(kind)]
    for (where, _), (parameter, place) in about.parameters.items():
        if where == "body":
            kind = min(kinds, key=_rank, default=JSON)
            if _rank(kind) not in (_IN_JSON, _ANY):
                return b"", "application/octet-stream" if "*" in kind else kind
            value = about.values.of_parameter(parameter, place, is_content=True)
            return _json(value), JSON if "*" in kind else kind
    if not any(kind == "formData" for kind, _ in about.parameters):
        return b"", ""
    pairs: list[tuple[str, str]] = []
    files: list[str] = []
    for name, parameter, place in about.wanted("formData"):
        pairs += _pairs(about, name, parameter, about.values.of_parameter(parameter, place))
        if parameter.get("type") == "file":
            files.append(name)
    multipart = bool(files) or (FORM not in kinds and MULTIPART in kinds)
    return encode_form(pairs, multipart, files)
