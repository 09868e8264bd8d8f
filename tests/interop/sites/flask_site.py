"""The site of ``suite_sites.py`` in Flask. ``FILE`` in the environment is what /file sends."""

# mypy: disable-error-code="import-not-found,import-untyped"

import hashlib
import os
from typing import Any

from flask import Flask, Response, jsonify, redirect, request, send_file

app = Flask(__name__)


def page() -> Any:
    name, tags = request.args["name"], ", ".join(request.args.getlist("tag"))
    return f"<!doctype html><p>Hello, {name}! {tags}</p>"


def form() -> Any:
    return jsonify(request.form)


def upload() -> Any:
    file = request.files["file"]
    data = file.read()
    return jsonify(
        title=request.form["title"],
        name=file.filename,
        size=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
    )


def total() -> Any:
    return jsonify(total=sum(request.get_json()["numbers"]))


def away() -> Any:
    return redirect("/page?name=redirected")


def set_cookies() -> Any:
    response = Response("set")
    response.set_cookie("first", "1", httponly=True)
    response.set_cookie("second", "2", max_age=3600)
    return response


def cookies() -> Any:
    return jsonify(request.cookies)


def stream() -> Any:
    blocks = int(request.args["blocks"])  # there is no request any more while it is sent
    return Response((b"%06d\n" % number * 100 for number in range(blocks)), mimetype="text/plain")


def file() -> Any:
    return send_file(os.environ["FILE"], mimetype="application/octet-stream")


def content() -> Any:
    data = request.get_data()
    return jsonify(size=len(data), sha256=hashlib.sha256(data).hexdigest())


def path(name: str) -> Any:
    return jsonify(path=name, query=request.args.get("q", ""))


def big() -> Any:
    return Response(b"0123456789abcdef" * (int(request.args["size"]) // 16), mimetype="text/plain")


def error() -> Any:
    raise RuntimeError("an error on purpose")


app.add_url_rule("/page", view_func=page)
app.add_url_rule("/form", view_func=form, methods=["POST"])
app.add_url_rule("/upload", view_func=upload, methods=["POST"])
app.add_url_rule("/json", view_func=total, methods=["POST"])
app.add_url_rule("/redirect", view_func=away)
app.add_url_rule("/cookies/set", view_func=set_cookies)
app.add_url_rule("/cookies", view_func=cookies)
app.add_url_rule("/stream", view_func=stream)
app.add_url_rule("/file", view_func=file)
app.add_url_rule("/content", view_func=content, methods=["POST", "PUT"])
app.add_url_rule("/path/<name>", view_func=path)
app.add_url_rule("/big", view_func=big)
app.add_url_rule("/error", view_func=error)
