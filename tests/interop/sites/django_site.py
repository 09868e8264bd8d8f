"""The site of ``suite_sites.py`` in Django. ``FILE`` in the environment is what /file sends."""

# mypy: disable-error-code="import-not-found,import-untyped"

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import (
    FileResponse,
    HttpResponse,
    HttpResponseRedirect,
    JsonResponse,
    StreamingHttpResponse,
)
from django.urls import path

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1"],
    DATA_UPLOAD_MAX_MEMORY_SIZE=16 * 1024 * 1024,
    LOGGING={
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {"stderr": {"class": "logging.StreamHandler", "level": "ERROR"}},
        "loggers": {"django": {"handlers": ["stderr"]}},
    },
    MIDDLEWARE=["django.middleware.common.CommonMiddleware"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="no secret: it signs nothing",
    USE_TZ=True,
)
django.setup(set_prefix=False)


def page(request: Any) -> Any:
    name, tags = request.GET["name"], ", ".join(request.GET.getlist("tag"))
    return HttpResponse(f"<!doctype html><p>Hello, {name}! {tags}</p>")


def form(request: Any) -> Any:
    return JsonResponse(request.POST.dict())


def upload(request: Any) -> Any:
    file = request.FILES["file"]
    data = file.read()
    found = {
        "title": request.POST["title"],
        "name": file.name,
        "size": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
    }
    return JsonResponse(found)


def total(request: Any) -> Any:
    return JsonResponse({"total": sum(json.loads(request.body)["numbers"])})


def away(request: Any) -> Any:
    return HttpResponseRedirect("/page?name=redirected")


def set_cookies(request: Any) -> Any:
    response = HttpResponse("set")
    response.set_cookie("first", "1", httponly=True)
    response.set_cookie("second", "2", max_age=3600)
    return response


def cookies(request: Any) -> Any:
    return JsonResponse(request.COOKIES)


def stream(request: Any) -> Any:
    def produce() -> Iterator[bytes]:
        for number in range(int(request.GET["blocks"])):
            yield b"%06d\n" % number * 100

    return StreamingHttpResponse(produce(), content_type="text/plain")


def file(request: Any) -> Any:
    return FileResponse(Path(os.environ["FILE"]).open("rb"))


def content(request: Any) -> Any:
    data = request.body
    return JsonResponse({"size": len(data), "sha256": hashlib.sha256(data).hexdigest()})


def named(request: Any, name: str) -> Any:
    return JsonResponse({"path": name, "query": request.GET.get("q", "")})


def big(request: Any) -> Any:
    return HttpResponse(b"0123456789abcdef" * (int(request.GET["size"]) // 16))


def error(request: Any) -> Any:
    raise RuntimeError("an error on purpose")


urlpatterns = [
    path("page", page),
    path("form", form),
    path("upload", upload),
    path("json", total),
    path("redirect", away),
    path("cookies/set", set_cookies),
    path("cookies", cookies),
    path("stream", stream),
    path("file", file),
    path("content", content),
    path("path/<str:name>", named),
    path("big", big),
    path("error", error),
]

app = get_wsgi_application()
