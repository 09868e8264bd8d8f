"""The site of ``suite_sites.py`` in Pyramid. ``FILE`` in the environment is what /file sends."""

# mypy: disable-error-code="import-not-found,import-untyped"

import hashlib
import os
from collections.abc import Iterator
from typing import Any

from pyramid.config import Configurator
from pyramid.httpexceptions import HTTPFound
from pyramid.response import FileResponse, Response


def page(request: Any) -> Any:
    name, tags = request.GET["name"], ", ".join(request.GET.getall("tag"))
    return Response(f"<!doctype html><p>Hello, {name}! {tags}</p>")


def form(request: Any) -> Any:
    return Response(json_body=dict(request.POST))


def upload(request: Any) -> Any:
    file = request.POST["file"]
    data = file.file.read()
    found = {
        "title": request.POST["title"],
        "name": file.filename,
        "size": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
    }
    return Response(json_body=found)


def total(request: Any) -> Any:
    return Response(json_body={"total": sum(request.json_body["numbers"])})


def away(request: Any) -> Any:
    return HTTPFound("/page?name=redirected")


def set_cookies(request: Any) -> Any:
    response = Response("set")
    response.set_cookie("first", "1", httponly=True)
    response.set_cookie("second", "2", max_age=3600)
    return response


def cookies(request: Any) -> Any:
    return Response(json_body=dict(request.cookies))


def stream(request: Any) -> Any:
    def produce() -> Iterator[bytes]:
        for number in range(int(request.GET["blocks"])):
            yield b"%06d\n" % number * 100

    return Response(app_iter=produce(), content_type="text/plain")


def file(request: Any) -> Any:
    path = os.environ["FILE"]
    response = FileResponse(path, request=request, content_type="application/octet-stream")
    response.conditional_response = True
    return response


def content(request: Any) -> Any:
    data = request.body
    return Response(json_body={"size": len(data), "sha256": hashlib.sha256(data).hexdigest()})


def path(request: Any) -> Any:
    name = request.matchdict["name"]
    return Response(json_body={"path": name, "query": request.GET.get("q", "")})


def big(request: Any) -> Any:
    return Response(body=b"0123456789abcdef" * (int(request.GET["size"]) // 16))


def error(request: Any) -> Any:
    raise RuntimeError("an error on purpose")


def make() -> Any:
    config = Configurator()
    views = {
        "/page": page,
        "/form": form,
        "/upload": upload,
        "/json": total,
        "/redirect": away,
        "/cookies/set": set_cookies,
        "/cookies": cookies,
        "/stream": stream,
        "/file": file,
        "/content": content,
        "/path/{name}": path,
        "/big": big,
        "/error": error,
    }
    for route, view in views.items():
        config.add_route(route, route)
        config.add_view(view, route_name=route)
    return config.make_wsgi_app()


app = make()
