"""The site of ``suite_sites.py`` in Bottle. ``FILE`` in the environment is what /file sends."""

# mypy: disable-error-code="import-not-found,import-untyped"

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bottle import Bottle, redirect, request, response, static_file

app = Bottle()


def page() -> Any:
    query = request.query.decode()
    name, tags = query["name"], ", ".join(query.getall("tag"))
    return f"<!doctype html><p>Hello, {name}! {tags}</p>"


def form() -> Any:
    return {name: request.forms.getunicode(name) for name in request.forms}


def upload() -> Any:
    file = request.files["file"]
    data = file.file.read()
    return {
        "title": request.forms.getunicode("title"),
        "name": file.raw_filename,
        "size": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
    }


def total() -> Any:
    return {"total": sum(request.json["numbers"])}


def away() -> Any:
    redirect("/page?name=redirected")


def set_cookies() -> Any:
    response.set_cookie("first", "1", httponly=True)
    response.set_cookie("second", "2", max_age=3600)
    return "set"


def cookies() -> Any:
    return dict(request.cookies)


def stream() -> Iterator[bytes]:
    response.content_type = "text/plain"
    for number in range(int(request.query["blocks"])):
        yield b"%06d\n" % number * 100


def file() -> Any:
    path = Path(os.environ["FILE"])
    return static_file(path.name, root=str(path.parent), mimetype="application/octet-stream")


def content() -> Any:
    data = request.body.read()
    return {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def path(name: str) -> Any:
    return {"path": name, "query": request.query.getunicode("q") or ""}


def big() -> Any:
    response.content_type = "text/plain"
    return b"0123456789abcdef" * (int(request.query["size"]) // 16)


def error() -> Any:
    raise RuntimeError("an error on purpose")


app.route("/page", "GET", page)
app.route("/form", "POST", form)
app.route("/upload", "POST", upload)
app.route("/json", "POST", total)
app.route("/redirect", "GET", away)
app.route("/cookies/set", "GET", set_cookies)
app.route("/cookies", "GET", cookies)
app.route("/stream", "GET", stream)
app.route("/file", "GET", file)
app.route("/content", ["POST", "PUT"], content)
app.route("/path/<name>", "GET", path)
app.route("/big", "GET", big)
app.route("/error", "GET", error)
