"""The targets that a description of an application names, and the values in them."""

# ruff: noqa: PT017  # these properties allow an error, and say which

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from conformance.origin_form import assert_can_be_sent
from quaich.conformance.check.openapi import DocumentError, load_openapi, openapi_targets
from quaich.conformance.check.targets import Target

FORM = "application/x-www-form-urlencoded"
Json = dict[str, Any]


def openapi(paths: Any, **more: Any) -> Json:
    return {"openapi": "3.0.3", "paths": paths, **more}


def swagger(paths: Any, **more: Any) -> Json:
    return {"swagger": "2.0", "paths": paths, **more}


def only(document: Json) -> Target:
    (target,) = openapi_targets(document)
    return target


# --- Paths and methods -------------------------------------------------------------------------


def test_every_path_and_method_is_a_target() -> None:
    document = openapi(
        {
            "/a": {"get": {}, "post": {}, "summary": "x", "x-get": {}},
            "/b c": {"head": {}, "delete": {}},
            "/q?x=1#again": {"get": {}},
            "x-paths": 1,
        }
    )
    assert list(map(str, openapi_targets(document))) == [
        *["GET /a", "POST /a", "DELETE /b%20c", "HEAD /b%20c", "GET /q?x=1"]
    ]
    assert {target.source for target in openapi_targets(document)} == {"openapi"}


@pytest.mark.parametrize("version", ["3.0.0", "3.1.1", 3.1])
def test_a_document_without_paths_has_no_targets(version: Any) -> None:
    assert openapi_targets({"openapi": version}) == []


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("/", "/a"),
        ("/v1", "/v1/a"),
        ("/v1/", "/v1/a"),
        ("v1", "/v1/a"),
        (".", "/a"),
        ("http://example.com", "/a"),
        ("https://example.com/v 1/x/?y", "/v%201/x/a"),
        ("https://{host}/{version}", "/v2/a"),
    ],
)
def test_paths_begin_with_that_of_the_first_server(url: str, path: str) -> None:
    server = {"url": url, "variables": {"version": {"default": "v2"}}}
    document = openapi({"/a": {"get": {}}}, servers=[server, {"url": "/other"}])
    assert only(document).path == path


def test_the_nearest_server_counts() -> None:
    item: Json = {"get": {}, "servers": [{"url": "/path"}]}
    document = openapi({"/a": item}, servers=[{"url": "/root"}])
    assert only(document).path == "/path/a"
    item["get"] = {"servers": [{"url": "/operation"}]}
    assert only(document).path == "/operation/a"


@pytest.mark.parametrize(("base", "path"), [("", "/a"), ("/", "/a"), ("/v1", "/v1/a")])
def test_paths_of_swagger_begin_with_the_base_path(base: str, path: str) -> None:
    assert only(swagger({"/a": {"get": {}}}, basePath=base)).path == path


# --- Parameters --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameter", "text"),
    [
        ({"example": "a/b", "schema": {"type": "integer"}}, "a%2Fb"),
        ({"examples": {"x": {"value": 7}, "y": {"value": 8}}}, "7"),
        ({"examples": {"x": {"$ref": "#/components/examples/E"}}}, "nine"),
        ({"schema": {"default": 5, "example": 6}}, "5"),
        ({"schema": {"example": "é"}}, "%C3%A9"),
        ({"schema": {"examples": ["x", "y"]}}, "x"),
        ({"schema": {"enum": ["b", "c"], "type": "string"}}, "b"),
        ({"schema": {"const": "k"}}, "k"),
        ({"schema": {"$ref": "#/components/schemas/Id"}}, "4"),
        ({"content": {"application/json": {"schema": {"type": "boolean"}}}}, "true"),
        ({"schema": {"type": "integer"}}, "1"),
        ({"schema": {"type": "number", "minimum": 2.5}}, "3"),
        ({"schema": {"type": "integer", "minimum": 2, "exclusiveMinimum": True}}, "3"),
        ({"schema": {"type": "integer", "exclusiveMinimum": 5}}, "6"),
        ({"schema": {"type": "integer", "maximum": 0}}, "0"),
        ({"schema": {"type": "integer", "exclusiveMaximum": 1}}, "0"),
        ({"schema": {"type": "integer", "minimum": 10**400}}, "1" + 400 * "0"),
        ({"schema": {"type": "boolean"}}, "true"),
        ({"schema": {"type": ["null", "integer"]}}, "1"),
        ({"schema": {"type": "array", "items": {"type": "integer"}, "minItems": 2}}, "1%2C1"),
        ({"schema": {"type": "array", "items": {"type": "integer"}}}, "1"),
        ({"schema": {"type": "string", "format": "date"}}, "2024-01-31"),
        ({"schema": {"type": "string", "maxLength": 2}}, "st"),
        ({"schema": {"type": "string", "minLength": 8}}, "stringst"),
        ({"schema": {"type": "string", "maxLength": 0}}, "string"),
        ({"schema": {"anyOf": [{"type": "integer"}, {"type": "null"}]}}, "1"),
        ({"schema": {}}, "string"),
        ({}, "string"),
    ],
)
def test_a_parameter_in_the_path_has_the_value_that_is_given_or_one_of_its_type(
    parameter: Json, text: str
) -> None:
    parameter = {"name": "id", "in": "path", "required": True, **parameter}
    document = openapi(
        {"/a/{id}/b": {"get": {"parameters": [parameter]}}},
        components={
            "schemas": {"Id": {"type": "integer", "minimum": 4}},
            "examples": {"E": {"value": "nine"}},
        },
    )
    assert only(document).path == f"/a/{text}/b"


def test_a_uuid_is_one() -> None:
    parameter = {"name": "id", "in": "path", "schema": {"type": "string", "format": "uuid"}}
    path = only(openapi({"/{id}": {"get": {"parameters": [parameter]}}})).path
    assert [len(part) for part in path[1:].split("-")] == [8, 4, 4, 4, 12]


def test_a_parameter_that_nobody_describes_is_filled_in() -> None:
    assert only(openapi({"/{a}.{b}": {"get": {}}})).path == "/string.string"


def test_a_parameter_of_the_operation_replaces_that_of_the_path() -> None:
    def parameter(value: str) -> list[Json]:
        return [{"name": "q", "in": "query", "required": True, "example": value}]

    item = {"parameters": parameter("path"), "get": {}, "put": {"parameters": parameter("own")}}
    assert list(map(str, openapi_targets(openapi({"/": item})))) == ["GET /?q=path", "PUT /?q=own"]


@pytest.mark.parametrize(
    ("parameter", "query"),
    [
        ({"example": "a b&c"}, "q=a+b%26c"),
        ({"example": None}, "q=null"),
        ({"example": ["a", "b"]}, "q=a&q=b"),
        ({"example": ["a", "b"], "explode": False}, "q=a%2Cb"),
        ({"example": ["a", "b"], "explode": False, "style": "pipeDelimited"}, "q=a%7Cb"),
        ({"example": {"a": 1, "b": 2}}, "a=1&b=2"),
        ({"example": {"a": 1, "b": 2}, "explode": False}, "q=a%2C1%2Cb%2C2"),
        ({"example": {"a": 1}, "style": "deepObject"}, "q%5Ba%5D=1"),
        ({"example": "x", "required": False}, ""),
        ({"example": "x", "in": "header"}, ""),
    ],
)
def test_what_is_required_in_the_query_is_there(parameter: Json, query: str) -> None:
    parameter = {"name": "q", "in": "query", "required": True, **parameter}
    assert only(openapi({"/": {"get": {"parameters": [parameter]}}})).query == query


@pytest.mark.parametrize(
    ("parameter", "query"),
    [
        ({"type": "integer"}, "q=1"),
        ({"type": "string", "default": "x"}, "q=x"),
        ({"type": "string", "x-example": "y"}, "q=y"),
        ({"type": "array", "items": {"type": "string", "enum": ["z"]}}, "q=z"),
        ({"type": "array", "default": [1, 2]}, "q=1%2C2"),
        ({"type": "array", "default": [1, 2], "collectionFormat": "ssv"}, "q=1+2"),
        ({"type": "array", "default": [1, 2], "collectionFormat": "multi"}, "q=1&q=2"),
    ],
)
def test_a_parameter_of_swagger_is_its_own_schema(parameter: Json, query: str) -> None:
    parameter = {"name": "q", "in": "query", "required": True, **parameter}
    assert only(swagger({"/": {"get": {"parameters": [parameter]}}})).query == query


# --- Content -----------------------------------------------------------------------------------

PET: Json = {
    "type": "object",
    "required": ["id", "name", "born", "owner", "tags", "unknown"],
    "properties": {
        "id": {"type": "integer", "readOnly": True},
        "name": {"type": "string", "example": "Rex"},
        "born": {"type": "string", "format": "date-time"},
        "owner": {"$ref": "#/components/schemas/Owner"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "colour": {"type": "string"},
    },
}
OWNER: Json = {
    "allOf": [
        {"type": "object", "required": ["a"], "properties": {"a": {"type": "number"}}},
        {"$ref": "#/components/schemas/Named"},
    ],
    "required": ["c"],
    "properties": {"c": {"oneOf": [{"type": "boolean"}, {"type": "string"}]}},
}
NAMED: Json = {"required": ["b"], "properties": {"b": {"type": ["null"]}}}
SCHEMAS = {"Pet": PET, "Owner": OWNER, "Named": NAMED}


def content_of(content: Json, schemas: Json = SCHEMAS, method: str = "post") -> Target:
    operation = {"requestBody": {"content": content}}
    return only(openapi({"/": {method: operation}}, components={"schemas": schemas}))


def json_of(schema: Any, schemas: Json = SCHEMAS) -> Any:
    target = content_of({"application/json": {"schema": schema}}, schemas)
    assert target.content_type == "application/json"
    return json.loads(target.content)


def test_content_in_json_is_the_least_that_the_schema_allows() -> None:
    assert json_of({"$ref": "#/components/schemas/Pet"}) == {
        "name": "Rex",
        "born": "2024-01-31T12:00:00Z",
        "owner": {"a": 1, "b": None, "c": True},
        "tags": [],
        "unknown": "string",
    }


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        (True, None),
        ({"type": "null"}, None),
        ({"type": ["null", "string"]}, "string"),
        ({"items": True, "minItems": 1}, [None]),
        ({"allOf": [{"type": "integer"}]}, 1),
        ({"allOf": []}, None),
        ({"oneOf": []}, "string"),
        ({"enum": []}, "string"),
        ({"examples": []}, "string"),
        ({"examples": {"x": {}}}, "string"),
        ({"properties": {"a": {}}, "required": [1, "b"]}, {"b": "string"}),
        ({"type": "string", "format": "unheard-of"}, "string"),
        ({"type": "integer", "minimum": "x", "maximum": True}, 1),
        ({"type": "integer", "minimum": float("nan"), "maximum": float("-inf")}, 1),
    ],
)
def test_a_schema_that_says_little_or_nonsense_has_a_value(schema: Any, value: Any) -> None:
    assert json_of(schema) == value


@pytest.mark.parametrize(
    "medium",
    [
        {"example": {"a": ["é"]}, "schema": PET},
        {"examples": {"x": {"summary": "x"}, "y": {"value": {"a": ["é"]}}}, "schema": PET},
        {"schema": {**PET, "example": {"a": ["é"]}}},
        {"schema": {**PET, "examples": [{"a": ["é"]}]}},
        {"schema": {**PET, "default": {"a": ["é"]}}},
        {"schema": {"$ref": "#/components/schemas/Pet", "example": {"a": ["é"]}}},
    ],
)
def test_an_example_is_sent_as_it_is(medium: Json) -> None:
    assert json.loads(content_of({"application/json": medium}).content) == {"a": ["é"]}


def test_a_schema_within_itself_ends() -> None:
    node = {"required": ["next"], "properties": {"next": {"$ref": "#/components/schemas/Node"}}}
    assert json_of({"$ref": "#/components/schemas/Node"}, {"Node": node}) == {"next": None}


def test_schemas_that_ask_for_ever_more_end() -> None:
    def schema(number: int) -> Json:
        inner = {"$ref": f"#/components/schemas/S{number + 1}"}
        return {"required": ["a", "b"], "properties": {"a": inner, "b": inner}}

    schemas = {f"S{number}": schema(number) for number in range(100)} | {"S100": {}}
    assert json_of({"$ref": "#/components/schemas/S0"}, schemas)
    array = {"type": "array", "minItems": 10**9, "items": {"type": "string", "minLength": 10**9}}
    assert json_of({**array, "items": array})


@pytest.mark.parametrize(
    ("kinds", "sent"),
    [
        (["text/plain", FORM, "application/json"], "application/json"),
        (["text/xml", "application/vnd.api+json; v=1"], "application/vnd.api+json; v=1"),
        (["text/plain", FORM], FORM),
        (["*/*"], "application/json"),
        (["application/*+json"], "application/json"),
        (["text/*"], "text/plain"),
        (["text/xml", "image/png"], "text/xml"),
        (["image/*"], "application/octet-stream"),
    ],
)
def test_of_several_types_json_is_sent_before_forms_and_others(kinds: list[str], sent: str) -> None:
    assert content_of({kind: {} for kind in kinds}).content_type == sent


def test_content_that_is_neither_json_nor_a_form_is_an_example() -> None:
    assert content_of({"text/xml": {"example": "<a/>"}}).content == b"<a/>"
    assert content_of({"text/xml": {"schema": PET}}).content == b""
    assert content_of({"text/plain": {"schema": {"type": "string"}}}).content == b"string"


def test_content_of_a_form() -> None:
    schema = {
        "required": ["a", "list", "object", "file"],
        "properties": {
            "a": {"example": "x y"},
            "list": {"example": [1, True]},
            "object": {"example": {"k": "é"}},
            "file": {"type": "string", "format": "binary"},
        },
    }
    target = content_of({FORM: {"schema": schema}})
    value = "%7B%22k%22%3A+%22%5Cu00e9%22%7D"
    assert target.content.decode() == f"a=x+y&list=1&list=true&object={value}&file=string"
    target = content_of({"multipart/form-data": {"schema": schema}})
    assert target.content_type.startswith("multipart/form-data; boundary=")
    assert b'name="a"\r\n\r\nx y\r\n' in target.content
    assert b'name="file"; filename="file"\r\n' in target.content


def test_content_of_no_type_is_none() -> None:
    assert content_of({}) == Target("POST", "/")


@pytest.mark.parametrize("method", ["get", "head"])
def test_a_method_whose_content_means_nothing_has_none(method: str) -> None:
    assert content_of({"application/json": {}}, method=method).content_type == ""


@pytest.mark.parametrize(
    ("consumes", "sent"),
    [
        (None, b'{"a": 1}'),
        (["text/xml", "application/json"], b'{"a": 1}'),
        (["text/xml"], b""),
    ],
)
def test_content_of_swagger_is_a_parameter(consumes: Any, sent: bytes) -> None:
    schema = {"required": ["a"], "properties": {"a": {"type": "integer"}}}
    body = {"name": "x", "in": "body", "schema": {"$ref": "#/definitions/A"}}
    document = swagger({"/": {"post": {"parameters": [body]}}}, definitions={"A": schema})
    if consumes:
        document["consumes"] = consumes
    assert only(document).content == sent
    assert only(document).content_type == ("application/json" if sent else "text/xml")


def test_forms_of_swagger_are_parameters() -> None:
    fields = [
        {"name": "a", "in": "formData", "type": "integer", "required": True},
        {"name": "b", "in": "formData", "type": "string"},
    ]
    operation: Json = {"parameters": fields}
    document = swagger({"/": {"post": operation}})
    assert only(document).content == b"a=1"
    operation["consumes"] = ["multipart/form-data"]
    assert only(document).content_type.startswith("multipart/form-data;")
    del operation["consumes"]
    fields.append({"name": "f", "in": "formData", "type": "file", "required": True})
    assert b'name="f"; filename="file"' in only(document).content


# --- Documents that cannot be understood -------------------------------------------------------


def cyclic() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


@pytest.mark.parametrize(
    ("document", "place", "says"),
    [
        ([], "#", "an object has to be here"),
        ({}, "#", "no OpenAPI document"),
        ({"openapi": "4.0"}, "#", "version 4.0"),
        ({"swagger": "1.2"}, "#", "version 1.2"),
        (openapi([]), "#/paths", "an object has to be here"),
        (openapi({"a": {}}), "#/paths/a", "begins with /"),
        (openapi({"/a~b": 1}), "#/paths/~1a~0b", "an object"),
        (openapi({"/a": {"get": None}}), "#/paths/~1a/get", "an object"),
        (openapi({"/a": {"parameters": {}, "get": {}}}), "#/paths/~1a/parameters", "an array"),
        (
            openapi({"/a": {"get": {"parameters": [{}]}}}),
            "#/paths/~1a/get/parameters/0",
            "has a name",
        ),
        (openapi({"/a": {"$ref": "#/nowhere"}}), "#/paths/~1a", "there is no #/nowhere"),
        (openapi({"/a": {"$ref": "#/paths/~1a"}}), "#/paths/~1a", "refers to itself"),
        (openapi({"/a": {"$ref": "a.json#/x"}}), "#/paths/~1a", "in another file"),
        (openapi({"/a": {"$ref": "#a"}}), "#/paths/~1a", "no JSON pointer"),
        (openapi({"/a": {"$ref": "#/openapi"}}), "#/paths/~1a", "is no object"),
        (
            openapi({"/a": {"post": {"requestBody": {"content": {"x": {}}}}}}),
            "#/paths/~1a/post/requestBody/content/x",
            "no media type",
        ),
        (
            openapi(
                {"/a": {"put": {"requestBody": {"content": {"a/json": {"example": cyclic()}}}}}}
            ),
            "#/paths/~1a/put",
            "",
        ),
        (openapi({"/a": {"get": {}}}, servers=[{"url": "//["}]), "#/servers/0/url", "no URL"),
        (openapi({"/a": {"get": {}}}, servers=[{"url": 1}]), "#/servers/0/url", "a string"),
        (swagger({"/a": {"get": {}}}, basePath=1), "#/basePath", "a string"),
        (swagger({"/a": {"post": {}}}, consumes=1), "#/consumes", "an array"),
    ],
)
def test_an_error_names_its_place(document: Any, place: str, says: str) -> None:
    with pytest.raises(DocumentError) as caught:
        openapi_targets(document)
    assert caught.value.place == place
    assert says in caught.value.problem
    assert str(caught.value) == f"{place}: {caught.value.problem}"


def test_references_go_through_arrays_and_encoded_names() -> None:
    document = openapi(
        {"/a": {"$ref": "#/x-items/1/a%20b~1c"}}, **{"x-items": [{}, {"a b/c": {"get": {}}}]}
    )
    assert only(document).path == "/a"


# Documents that have the names of OpenAPI where they mean something, with anything beside them.
words = st.sampled_from(
    [
        *["#", "#/paths/~1a", "#/components/schemas/A", "/a/{id}", "path", "query", "body", "id"],
        *["formData", "object", "array", "integer", "string", "date", "multi", "deepObject", FORM],
        *["multipart/form-data", "application/json", "http://[", "\ud800", "\0\r\n", "é", "", "."],
    ]
)
keys = st.sampled_from(
    [
        *["$ref", "example", "examples", "default", "enum", "const", "type", "format", "items"],
        *["properties", "required", "allOf", "oneOf", "anyOf", "minItems", "minimum", "maximum"],
        *["exclusiveMinimum", "exclusiveMaximum", "minLength", "maxLength", "readOnly", "value"],
        *["schema", "content", "name", "in", "style", "explode", "collectionFormat", "url", "id"],
        *["variables", "consumes", "requestBody", "parameters", "servers", "get", "post", "/a"],
        *["application/json", FORM, "multipart/form-data", "*/*", "text/plain", "\ud800", "A"],
    ]
)
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | words
    | st.text(max_size=5)
    | st.sampled_from([400, 5000]).map(lambda digits: 10**digits)
)
anything: st.SearchStrategy[Any] = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(keys | st.text(max_size=3), inner, max_size=5)
    ),
    max_leaves=15,
)
schemas = st.dictionaries(keys, anything, max_size=5) | anything
parameters = st.fixed_dictionaries(
    {"name": st.just("id") | words, "in": words},
    optional={"required": st.just(True), "schema": schemas, "example": anything, "type": words},
)
contents = st.dictionaries(keys, st.fixed_dictionaries({"schema": schemas}) | anything, max_size=3)
operations = st.fixed_dictionaries(
    {},
    optional={
        "parameters": st.lists(parameters, max_size=3),
        "requestBody": st.fixed_dictionaries({"content": contents}),
        "servers": st.lists(st.fixed_dictionaries({"url": words | st.text()})) | anything,
        "consumes": st.lists(keys) | anything,
    },
)
items = st.dictionaries(st.sampled_from(["get", "post", "parameters", "$ref"]), operations)
documents = st.fixed_dictionaries(
    {
        "paths": st.dictionaries(
            st.text(max_size=4).map("/{}".format) | st.just("/a/{id}"), items | anything
        ),
        "components": st.fixed_dictionaries({"schemas": st.dictionaries(keys, schemas)}),
    },
    optional={"servers": anything, "basePath": words},
)


@given(document=documents | anything, version=st.sampled_from(["openapi", "swagger", ""]))
@example(document={"paths": {"/a": {"get": {"servers": [{"url": "a:b"}]}}}}, version="openapi")
def test_any_document_gives_targets_or_a_document_error(document: Any, version: str) -> None:
    if version and isinstance(document, dict):
        document = {**document, version: "3.0.0" if version == "openapi" else "2.0"}
    try:
        targets = openapi_targets(document)
    except DocumentError as error:
        assert error.place.startswith("#")
        return
    for target in targets:
        assert_can_be_sent(target)


@pytest.mark.parametrize("depth", [100, 5000])
@pytest.mark.parametrize("name", ["example", "schema"])
def test_no_depth_is_too_much(name: str, depth: int) -> None:
    value: Any = {"type": "integer"}
    for _ in range(depth):
        value = {"type": "array", "minItems": 1, "items": value}
    try:
        content_of({"application/json": {name: value}})
    except DocumentError as error:
        assert "nested too deeply" in error.problem


# --- Files -------------------------------------------------------------------------------------


def load(directory: Path, name: str, data: bytes) -> Any:
    path = directory / name
    path.write_bytes(data)
    return load_openapi(path)


@pytest.mark.parametrize("name", ["api.json", "api.JSON", "api", "api.txt"])
def test_json_is_read(tmp_path: Path, name: str) -> None:
    assert load(tmp_path, name, b' {"openapi": "3.0.0"}') == {"openapi": "3.0.0"}
    assert load_openapi(str(tmp_path / name)) == {"openapi": "3.0.0"}


def test_json_may_be_in_any_unicode(tmp_path: Path) -> None:
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-32"):
        assert load(tmp_path, "a.json", '{"é": 1}'.encode(encoding)) == {"é": 1}


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b'{"a":\n x}', ", line 2, column 2: this is no JSON"),
        (b"", ", line 1, column 1: this is no JSON"),
        (b'{"a": "\xff"}', ": this cannot be read"),
        (b"1" * 5000, ": this cannot be read"),
        (b"[" * 200_000, ": it is nested too deeply"),
    ],
)
def test_a_file_that_is_no_json_is_told_where(tmp_path: Path, data: bytes, says: str) -> None:
    with pytest.raises(DocumentError) as caught:
        load(tmp_path, "a.json", data)
    assert str(caught.value).startswith(f"{tmp_path / 'a.json'}{says}")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match="No such file"):
        load_openapi(tmp_path / "a.json")


YAML = b"""
openapi: 3.1
paths:
  /a/{day}:
    get:
      parameters:
        - &day {name: day, in: path, required: true, example: 2024-02-29}
      responses: {200: {description: OK}}
    put:
      parameters: [*day]
"""


@pytest.mark.parametrize("name", ["api.yaml", "api.yml", "api"])
def test_yaml_is_read(tmp_path: Path, name: str) -> None:
    document = load(tmp_path, name, YAML)
    assert json.loads(json.dumps(document)) == document
    assert list(map(str, openapi_targets(document))) == ["GET /a/2024-02-29", "PUT /a/2024-02-29"]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"a:\n  - b\n c", ", line 3, column 2: this is no YAML"),
        (b"a: \x00", ": this is no YAML"),
        (b"a: !!int ''", ": this is no YAML"),
        (b"a: 2024-13-45", ": this is no YAML"),
        (b"a: !!python/object:x.y {}", ", line 1, column 4: this is no YAML"),
        (b"? !!python/tuple [a]\n: b", ", line 1, column 3: this is no YAML"),
        (b"? 2024-01-01\n: b", ": this has no counterpart in JSON"),
        (b"a: &a [*a]", ": this cannot be read"),
    ],
)
def test_a_file_that_is_no_yaml_is_told_where(tmp_path: Path, data: bytes, says: str) -> None:
    with pytest.raises(DocumentError) as caught:
        load(tmp_path, "a.yaml", data)
    assert str(caught.value).startswith(f"{tmp_path / 'a.yaml'}{says}")


def test_without_pyyaml_one_is_told_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(DocumentError, match=r"pip install 'quaich\[yaml\]', or convert .* to JSON"):
        load(tmp_path, "a.yaml", YAML)
    assert load(tmp_path, "a", b"{}") == {}
