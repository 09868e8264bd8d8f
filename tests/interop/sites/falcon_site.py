"""The site of ``suite_sites.py`` in Falcon. ``FILE`` in the environment is what /file sends."""

# mypy: disable-error-code="import-not-found,import-untyped"

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import falcon


class Page:
    def on_get(self, req: Any, resp: Any) -> None:
        name, tags = req.get_param("name"), ", ".join(req.get_param_as_list("tag") or [])
        resp.content_type = falcon.MEDIA_HTML
        resp.text = f"<!doctype html><p>Hello, {name}! {tags}</p>"


class Form:
    def on_post(self, req: Any, resp: Any) -> None:
        resp.media = req.get_media()


class Upload:
    def on_post(self, req: Any, resp: Any) -> None:
        found: dict[str, Any] = {}
        for part in req.get_media():
            if part.name == "title":
                found["title"] = part.get_text()
            else:
                data = part.stream.read()
                found["name"] = part.filename
                found |= {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        resp.media = found


class Total:
    def on_post(self, req: Any, resp: Any) -> None:
        resp.media = {"total": sum(req.get_media()["numbers"])}


class Away:
    def on_get(self, req: Any, resp: Any) -> None:
        raise falcon.HTTPFound("/page?name=redirected")


class SetCookies:
    def on_get(self, req: Any, resp: Any) -> None:
        resp.set_cookie("first", "1", http_only=True, secure=False)
        resp.set_cookie("second", "2", max_age=3600, secure=False)
        resp.text = "set"


class Cookies:
    def on_get(self, req: Any, resp: Any) -> None:
        resp.media = req.cookies


class Stream:
    def on_get(self, req: Any, resp: Any) -> None:
        resp.content_type = falcon.MEDIA_TEXT
        resp.stream = self.produce(req.get_param_as_int("blocks"))

    def produce(self, blocks: int) -> Iterator[bytes]:
        for number in range(blocks):
            yield b"%06d\n" % number * 100


class File:
    def on_get(self, req: Any, resp: Any) -> None:
        path = Path(os.environ["FILE"])
        resp.content_type = "application/octet-stream"
        # Falcon hands it to wsgi.file_wrapper, which closes it.
        resp.set_stream(path.open("rb"), path.stat().st_size)


class Content:
    def on_post(self, req: Any, resp: Any) -> None:
        data = req.bounded_stream.read()
        resp.media = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}

    on_put = on_post


class Named:
    def on_get(self, req: Any, resp: Any, name: str) -> None:
        resp.media = {"path": name, "query": req.get_param("q") or ""}


class Big:
    def on_get(self, req: Any, resp: Any) -> None:
        resp.data = b"0123456789abcdef" * (req.get_param_as_int("size") // 16)


class Error:
    def on_get(self, req: Any, resp: Any) -> None:
        raise RuntimeError("an error on purpose")


app = falcon.App()
app.add_route("/page", Page())
app.add_route("/form", Form())
app.add_route("/upload", Upload())
app.add_route("/json", Total())
app.add_route("/redirect", Away())
app.add_route("/cookies/set", SetCookies())
app.add_route("/cookies", Cookies())
app.add_route("/stream", Stream())
app.add_route("/file", File())
app.add_route("/content", Content())
app.add_route("/path/{name}", Named())
app.add_route("/big", Big())
app.add_route("/error", Error())
