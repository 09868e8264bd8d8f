"""Tests with other projects' test clients, run by ``pytest --quaich-check``. ``run.py`` runs this,
in an environment that has them; one that is absent fails its tests.

Each project is a site with one view that breaks nothing and others that break a rule, and is run
in a process of its own: Django is configured once in a process.
"""

import os
import re
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

DOCUMENT = Path(__file__).parents[2] / "docs" / "reference" / "testing.md"

RUN = ("-p", "no:cacheprovider", "-p", "no:django", "--quaich-check", "-rA")


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> "Run":
    monkeypatch.setenv("PYTHONWARNINGS", "default")
    return Run(pytester)


class Run:
    def __init__(self, pytester: pytest.Pytester) -> None:
        self._pytester = pytester

    def __call__(self, *options: str, **files: str) -> pytest.RunResult:
        self._pytester.makepyfile(**files)
        self._pytester.makeini("[pytest]\n")
        return self._pytester.runpytest_subprocess(*RUN, *options)


def ends(result: pytest.RunResult) -> dict[str, str]:
    """How each test has ended: the rules that failed it, or the outcome."""
    found = {}
    for line in result.outlines:
        match = re.match(
            r"(PASSED|FAILED|ERROR) \S+::(\w+(?:\[.*\])?)(?: - (?:Failed: )?(.*))?", line
        )
        if match is not None:
            rules = re.match(r"([A-Z0-9, ]+): rules ", match[3] or "")
            found[match[2].removeprefix("test_")] = rules[1] if rules else match[1]
    return found


WSGI_APPLICATIONS = """
def good(environ, start_response):
    content = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)) or b"good"
    length = str(len(content))
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", length)])
    return [content]

def hop(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Keep-Alive", "timeout=5")])
    yield b"hop"

def writing(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "7")])(b"written")
    return []

def text(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return ["text"]

def short(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "6")])
    yield b"short"
"""

FLASK = """
import flask

app = flask.Flask(__name__)

@app.get("/good")
def good():
    return {"good": True}

@app.post("/form")
def form():
    return flask.request.form["name"]

@app.get("/stream")
def stream():
    return flask.Response((b"block" for _ in range(3)), mimetype="text/plain")

@app.get("/hop")
def hop():
    return "hop", {"Keep-Alive": "timeout=5"}

@app.get("/short")
def short():
    return flask.Response(iter([b"short"]), headers={"Content-Length": "6"})

@app.get("/closing")
def closing():
    flask.request.environ["wsgi.input"].close()
    return "closed"
"""


def test_flask(run: Run) -> None:
    result = run(
        shop=FLASK,
        test_shop="""
import pytest
from shop import app

@pytest.mark.parametrize("path", ["good", "stream", "absent"])
def test_good(path):
    with app.test_client().get(f"/{path}") as response:
        assert response.status_code == (404 if path == "absent" else 200)

def test_form():
    assert app.test_client().post("/form", data={"name": "Zo\\u00eb"}).text == "Zo\\u00eb"

@pytest.mark.parametrize("path", ["hop", "closing"])
def test_bad(path):
    app.test_client().get(f"/{path}").close()

def test_short():
    with app.test_client().get("/short") as response:
        assert response.data == b"short"
""",
    )
    assert ends(result) == {
        "good[good]": "PASSED",
        "good[stream]": "PASSED",
        "good[absent]": "PASSED",
        "form": "PASSED",
        "bad[hop]": "A11",
        "bad[closing]": "A32",
        "short": "A37",
    }
    result.stdout.fnmatch_lines(["shop.py:* in closing: A32 error: wsgi.input is closed"])
    result.stdout.fnmatch_lines(["    in a request by test_shop.py:*"])


def test_werkzeug(run: Run) -> None:
    result = run(
        shop=WSGI_APPLICATIONS,
        test_shop="""
import pytest
from werkzeug.test import Client, run_wsgi_app
from shop import good, hop, short, text, writing

@pytest.mark.parametrize("app", [good, hop, short, text, writing])
def test_it(app):
    Client(app).post("/", data=b"data").get_data()

def test_function():
    app_iter, status, headers = run_wsgi_app(hop, {}, buffered=True)
    assert [*app_iter] == [b"hop"]
""",
    )
    assert ends(result) == {
        "it[good]": "PASSED",
        "it[hop]": "A11",
        "it[short]": "A37",
        "it[text]": "A18",
        "it[writing]": "PASSED",
        "function": "A11",
    }
    result.stdout.fnmatch_lines(["A22  warning         1  shop.py:* in writing: write() is used"])


def test_httpx(run: Run) -> None:
    result = run(
        shop=WSGI_APPLICATIONS,
        test_shop="""
import httpx
import pytest
from shop import good, hop, short

class Transport(httpx.WSGITransport):
    def handle_request(self, request):
        self.last = request
        return super().handle_request(request)

@pytest.mark.parametrize("transport", [httpx.WSGITransport, Transport])
@pytest.mark.parametrize("app", [good, hop, short])
def test_it(app, transport):
    transport = transport(app)
    with httpx.Client(transport=transport, base_url="https://shop") as client:
        client.post("/", content=b"data")
    assert transport.app is app
    assert getattr(transport, "last", None) is None or transport.last.method == "POST"
""",
    )
    expected = {"good": "PASSED", "hop": "A11", "short": "A37"}
    assert ends(result) == {
        f"it[{app}-{transport}]": end
        for app, end in expected.items()
        for transport in ("WSGITransport", "Transport")
    }
    result.stdout.fnmatch_lines(["S33  test client *: wsgi.url_scheme is https, *"])


@pytest.mark.parametrize("lint", [True, False])
def test_webtest(run: Run, lint: bool) -> None:
    """Its own check comes first in some of them, and is no hindrance."""
    result = run(
        shop=WSGI_APPLICATIONS,
        test_shop=f"""
import pytest
from webtest import TestApp as Client
from shop import good, hop, short, writing

@pytest.mark.parametrize("app", [good, hop, short, writing])
def test_it(app):
    client = Client(app, lint={lint})
    client.post("/", b"data")
    assert client.app is app
""",
    )
    assert ends(result) == {
        "it[good]": "PASSED",
        "it[hop]": "A11",
        "it[short]": "A37",
        "it[writing]": "PASSED",
    }
    result.stdout.fnmatch_lines(["A22  warning         1  shop.py:* in writing: write() is used"])


DJANGO = """
import django
from django.conf import settings
from django.http import (
    FileResponse, HttpResponse, HttpResponseNotAllowed, JsonResponse, StreamingHttpResponse
)
from django.urls import path
from django.views import View

settings.configure(
    ALLOWED_HOSTS=["testserver"],
    MIDDLEWARE=["django.middleware.common.CommonMiddleware"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="no secret: it signs nothing",
    USE_TZ=True,
)
django.setup(set_prefix=False)

def good(request):
    response = JsonResponse(request.POST.dict())
    response.set_cookie("name", "value", httponly=True)
    return response

def not_allowed(request):
    return HttpResponseNotAllowed(["POST"])

def file(request):
    return FileResponse(open(__file__, "rb"))

def stream(request):
    return StreamingHttpResponse(str(number) * 100 for number in range(9))

def hop(request):
    return HttpResponse("hop", headers={"Keep-Alive": "timeout=5"})

def short(request):
    response = StreamingHttpResponse(iter(["short"]))
    response["Content-Length"] = "6"
    return response

def reason(request):
    return HttpResponse("reason", reason=" spaced")

def no_content(request):
    return HttpResponse("content", status=204)

def closing(request):
    request.META["wsgi.input"].close()
    return HttpResponse("closed")

class Page(View):
    def get(self, request):
        return HttpResponse(status=405)

VIEWS = (good, not_allowed, file, stream, hop, short, reason, no_content, closing)
urlpatterns = [path(view.__name__, view) for view in VIEWS] + [path("page", Page.as_view())]
"""


def test_django(run: Run) -> None:
    result = run(
        conftest="import shop\n",
        shop=DJANGO,
        test_shop="""
import pytest
from django.test import Client, SimpleTestCase

GOOD = ("good", "not_allowed", "file", "stream", "absent")
BAD = ("hop", "short", "reason", "no_content", "closing", "page")

@pytest.mark.parametrize("path", GOOD + BAD)
def test_get(path):
    response = Client().get(f"/{path}")
    assert response.getvalue() or path in ("not_allowed", "no_content", "page")

@pytest.mark.parametrize("path", GOOD)
def test_head(path):
    assert Client().head(f"/{path}").getvalue() == b""

def test_form():
    assert Client().post("/good", {"name": "Zo\\u00eb"}).json() == {"name": "Zo\\u00eb"}

@pytest.mark.quaich_check(False)
def test_off():
    Client().get("/hop")

class TestCase(SimpleTestCase):
    def test_case(self):
        self.client.get("/hop")
""",
    )
    good = ("good", "not_allowed", "file", "stream", "absent")
    assert ends(result) == {
        **{f"{method}[{path}]": "PASSED" for path in good for method in ("get", "head")},
        "get[hop]": "A11",
        "get[short]": "A37",
        "get[reason]": "A05",
        "get[no_content]": "H120",
        "get[closing]": "A32",
        "get[page]": "H136",
        "form": "PASSED",
        "off": "PASSED",
        "case": "A11",
    }
    for place in ("* in hop: A11", "* in short: A37", "* in closing: A32", "* in Page: H136"):
        result.stdout.fnmatch_lines([f"shop.py:{place} error: *"])


def test_workers(run: Run) -> None:
    """What workers of xdist find, they tell."""
    result = run(
        *("-n", "2"),
        shop=FLASK,
        test_shop="""
import pytest
from shop import app

@pytest.mark.parametrize("number", range(4))
def test_good(number):
    app.test_client().get("/good")  # and is not closed

def test_hop():
    app.test_client().get("/hop")
""",
    )
    assert ends(result) == {f"good[{n}]": "PASSED" for n in range(4)} | {"hop": "A11"}
    result.stdout.fnmatch_lines(["S18  test client     5  *: close() of the result *"])


def test_the_document(run: Run) -> None:
    """Its example does what it says."""
    text = DOCUMENT.read_text("utf-8")
    _, _, text = text.partition("\n## Checking applications while they are tested\n")
    blocks = re.findall(r"^```(\w+)\n(.*?)^```$", text, re.M | re.S)
    (_, shop), (_, test), (kind, output) = blocks[:3]
    assert kind == "text"
    result = run(shop=shop, test_shop=test)
    assert ends(result) == {"front_page": "A37"}
    said = os.linesep.join(result.outlines)
    assert output in said.replace(os.linesep, "\n") + "\n"
    result = run(
        "-o", "quaich_check=false", "--quaich-check-ignore", "A37", shop=shop, test_shop=test
    )
    assert ends(result) == {"front_page": "PASSED"}
