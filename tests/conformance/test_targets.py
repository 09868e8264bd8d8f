"""Where the requests of ``quaich check`` come from: paths, and pages of the application."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.origin_form import assert_can_be_sent
from quaich.conformance.check.links import PAGE_MAX
from quaich.conformance.check.targets import (
    ORIGIN,
    Crawl,
    Target,
    encode_path,
    encode_query,
    links,
    parse_path,
    resolve,
)

HTML = "text/html; charset=utf-8"
FORM = "application/x-www-form-urlencoded"


# --- Targets -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "query", "content_type"),
    [
        ("GE T", "/", "", ""),
        ("", "/", "", ""),
        ("GET", "", "", ""),
        ("GET", "x", "", ""),
        ("GET", "*", "", ""),
        ("GET", "/a b", "", ""),
        ("GET", "/a?b", "", ""),
        ("GET", "/%4", "", ""),
        ("GET", "/é", "", ""),
        ("GET", "/\n", "", ""),
        ("GET", "/", "a#b", ""),
        ("GET", "/", "[", ""),
        ("GET", "/", "", "text"),
        ("GET", "/", "", "text/html\r\nEvil: 1"),
    ],
)
def test_what_cannot_be_sent_is_no_target(
    method: str, path: str, query: str, content_type: str
) -> None:
    with pytest.raises(ValueError, match=" is no "):
        Target(method, path, query, content_type=content_type)


def test_targets_are_equal_that_ask_for_the_same() -> None:
    assert Target("GET", "/a", source="--path") == Target("GET", "/a", source="link of /")
    assert Target("GET", "/a") != Target("GET", "/a", "x=1")
    assert str(Target("GET", "/a", "x=1")) == "GET /a?x=1"


@given(text=st.text())
def test_whatever_is_encoded_can_be_sent(text: str) -> None:
    target = Target("GET", "/" + encode_path(text), encode_query(text))
    assert_can_be_sent(target)
    assert encode_path(target.path) == target.path
    assert encode_query(target.query) == target.query


# --- The command line --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("/", Target("GET", "/")),
        ("/a b?x=1 2", Target("GET", "/a%20b", "x=1%202")),
        ("GET /a b", Target("GET", "/a%20b")),
        ("head /a b", Target("HEAD", "/a%20b")),
        ("/é", Target("GET", "/%C3%A9")),
        ("/%41%zz%", Target("GET", "/%41%25zz%25")),
        ("/a?", Target("GET", "/a")),
        ("/a?b?c", Target("GET", "/a", "b?c")),
        ("/a?x[]=1", Target("GET", "/a", "x%5B%5D=1")),
        ("//a", Target("GET", "//a")),
        ("/?u=http://h/", Target("GET", "/", "u=http://h/")),
        ("/\udcff", Target("GET", "/%FF")),  # an octet that is not UTF-8, as in sys.argv
        ("/\ud800", Target("GET", "/%ED%A0%80")),
        ("  POST   /form ", Target("POST", "/form")),
        ("POST /f a=1&b=2 3", Target("POST", "/f", "", b"a=1&b=2%203", FORM)),
        ("POST /f a=\xe9", Target("POST", "/f", "", b"a=%C3%A9", FORM)),
        ('PUT /f?x {"a": 1}', Target("PUT", "/f", "x", b'{"a": 1}', "application/json")),
        ("PATCH /f [\xe9]", Target("PATCH", "/f", "", "[é]".encode(), "application/json")),
    ],
)
def test_a_path_of_the_command_line(text: str, target: Target) -> None:
    assert parse_path(text) == target
    assert parse_path(text).source == "--path"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "there is no path"),
        ("   ", "there is no path"),
        ("a/b", "does not begin with /"),
        ("POST", "does not begin with /"),
        ("GET a", "'a' does not begin with /"),
        ("OPTIONS *", "does not begin with /"),
        ("http://localhost:8000/a", "is a URL"),
        ("POST https://localhost/a b=1", "is a URL"),
        ("/a\nb", "control character"),
        ("/a\x7f", "control character"),
        ("/a#b", "fragment"),
        ("PO(ST /a", "is no method"),
    ],
)
def test_nonsense_is_told_what_is_wrong_with_it(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=re.escape(says)):
        parse_path(text)


@given(text=st.text() | st.text().map("/{}".format) | st.text().map("POST /{}".format))
def test_any_text_is_a_target_or_a_value_error(text: str) -> None:
    try:
        target = parse_path(text)
    except ValueError:
        return
    assert_can_be_sent(target)


# --- Links -------------------------------------------------------------------------------------


def found(page: str, path: str = "/dir/page", **options: Any) -> list[str]:
    return [str(target) for target in links(page.encode(), HTML, path, **options)]


@pytest.mark.parametrize(
    ("element", "attribute"),
    [
        *[(name, "href") for name in ("a", "area", "link")],
        *[
            (name, "src")
            for name in ("img", "script", "iframe", "source", "audio", "video", "embed")
        ],
    ],
)
def test_these_elements_refer_to_something(element: str, attribute: str) -> None:
    assert found(f"<{element} {attribute}='x'>") == ["GET /dir/x"]
    assert found(f"<{element.upper()} {attribute.upper()}=x>") == ["GET /dir/x"]
    assert found(f"<{element} title=x>") == []


@pytest.mark.parametrize(
    ("reference", "target"),
    [
        ("x", "/dir/x"),
        ("/x", "/x"),
        ("../x", "/x"),
        ("../../../x", "/x"),
        ("./", "/dir/"),
        ("?q=1", "/dir/page?q=1"),
        (" \n x\t", "/dir/x"),
        ("x y", "/dir/x%20y"),
        ("x?a=b c&amp;d=é", "/dir/x?a=b%20c&d=%C3%A9"),
        ("x?a=1&copy=2", "/dir/x?a=1&copy=2"),  # not &copy; (HTML, named character references)
        ("x%2Fy", "/dir/x%2Fy"),
        ("100%", "/dir/100%25"),
        ("&#xD800;", "/dir/%EF%BF%BD"),
        ("x#part", "/dir/x"),
        ("http:x", "/dir/x"),  # relative for urljoin, as it is for browsers
        ("http://application.invalid", "/"),
        ("http://application.invalid?x", "/?x"),
        ("#part", None),
        ("", None),
        ("page", None),
        ("http://example.com/x", None),
        ("https://application.invalid/x", None),
        ("//example.com/x", None),
        ("http://application.invalid:81/x", None),
        ("mailto:someone@example.com", None),
        ("javascript:void(0)", None),
        ("data:text/html,x", None),
        ("http://[", None),
        ("//[::1", None),
    ],
)
def test_a_reference_is_resolved_within_the_application(reference: str, target: str | None) -> None:
    assert found(f'<a href="{reference}">') == ([f"GET {target}"] if target else [])


def test_the_first_base_counts_for_the_whole_page() -> None:
    page = "<a href=x></a><base target=_top><base href='/other/'><base href=/third/>"
    assert found(page) == ["GET /other/x"]
    assert found("<base href='http://example.com/'><a href=x><a href=/y>") == []
    assert found("<base href='http://['><a href=x>") == ["GET /dir/x"]
    assert found("<base href='mailto:x'><a href=y>") == []


def test_a_page_is_not_confused_with_a_host() -> None:
    assert found("<a href='?x'>", "//example.com/y") == ["GET //example.com/y?x"]
    assert found("<a href=//example.com/z>", "//example.com/y") == []


def test_the_origin_may_be_known() -> None:
    page = "<a href='http://Localhost:8000/x'><a href=/y><a href='http://localhost/z'>"
    assert found(page, origin="http://localhost:8000") == ["GET /x", "GET /y"]


def test_each_link_comes_once_and_says_where_it_was() -> None:
    target, other = links(b"<a href=x><a href=x#a><img src=./x><a href=y>", HTML, "/a")
    assert (target.path, target.source) == ("/x", "link of /a")
    assert other.path == "/y"


def test_the_first_of_two_attributes_counts() -> None:
    assert found("<a href=x href=y>") == ["GET /dir/x"]


@pytest.mark.parametrize("content", ["<!-- {} -->", "<script>'{}'</script>", "<style>{}</style>"])
def test_what_is_no_element_is_no_link(content: str) -> None:
    assert found(content.format("<a href=x>")) == []


@pytest.mark.parametrize("kind", ["text/plain", "", "application/json", "text/htmlx", "\0"])
def test_only_html_has_links(kind: str) -> None:
    assert links(b"<a href=x>", kind, "/") == []


@pytest.mark.parametrize("kind", ["text/html", "TEXT/HTML;charset=x", "application/xhtml+xml"])
def test_html_by_any_of_its_names(kind: str) -> None:
    assert len(links(b"<a href=x>", kind, "/")) == 1


@pytest.mark.parametrize(
    ("charset", "octets", "path"),
    [
        ("iso-8859-1", b"\xe9", "/%C3%A9"),
        ('"ISO-8859-5"', b"\xd0", "/%D0%B0"),
        ("utf-8", b"\xe9", "/%EF%BF%BD"),
        ("nonsense", "é".encode(), "/%C3%A9"),
        ("rot13", "é".encode(), "/%C3%A9"),
        ("unicode_escape", b"\\ud800", "/%5Cud800"),  # a codec of Python, no charset of pages
        ("undefined", b"x", "/x"),
        ("idna", b"x", "/x"),
    ],
)
def test_the_charset_is_that_of_the_content_type(charset: str, octets: bytes, path: str) -> None:
    page = b"<a href='" + octets + b"'>"
    (target,) = links(page, f"text/html; Charset={charset}", "/")
    assert target.path == path


@pytest.mark.parametrize(
    "path",
    [
        *["/logout", "/user/Log-Out/", "/log_out", "/signout", "/sign-out", "/sign_off"],
        *["/x/1/delete", "/remove?id=1", "/x?action=delete", "/%64elete", "/unsubscribe"],
    ],
)
def test_links_that_look_destructive_are_left_out(path: str) -> None:
    page = f"<a href='{path}'><form action='{path}'></form>"
    page += f"<form action='{path}' method=post></form><a href=/x>"
    assert found(page, forms=True) == ["GET /x"]


def test_html_parser_does_not_stumble() -> None:
    assert found("<![\n<a href=x><![if IE]><a href=y><![CDATA[<a href=z>") == ["GET /dir/y"]
    # A number of more than 4300 digits is a ValueError somewhere below.
    assert found(f"<a href=x><a href='&#{'9' * 5000};'>")[:1] == ["GET /dir/x"]


def test_a_page_is_read_up_to_a_limit() -> None:
    assert found(" " * PAGE_MAX + "<a href=x>") == []


# --- Forms -------------------------------------------------------------------------------------

FIELDS = """
<input name=text value='a b'><input name=bare><input name=hidden type=hidden value=h>
<input value=nameless><input name=off disabled value=x>
<input name=check type=checkbox><input name=check type=checkbox checked>
<input name=radio type=radio value=1><input name=radio type=radio value=2 checked>
<input name=r type=reset value=x><input name=b type=button value=x><input name=i type=image>
<textarea name=area>
one &amp; two</textarea>
<select name=one><option>first <option value=2>second</select>
<select name=two><option value=1>a</option><option value=2 selected>b</option></select>
<select name=none><option disabled>a</option></select>
<select name=many multiple><option selected>a<option>b<option selected>c</select>
<input name=go type=submit value=now><button name=other value=x>
"""
SENT = (
    "text=a+b&bare=&hidden=h&check=on&radio=2&area=one+%26+two&one=first&two=2&many=a&many=c&go=now"
)


def test_a_form_is_sent_with_the_values_that_it_begins_with() -> None:
    assert found(f"<form action=/f?gone=1>{FIELDS}</form>") == [f"GET /f?{SENT}"]
    page = f"<form action=/f?stays=1 method=Post>{FIELDS}</form>"
    (target,) = links(page.encode(), HTML, "/a", forms=True)
    assert target == Target("POST", "/f", "stays=1", SENT.encode(), FORM)
    assert target.source == "form of /a"


def test_forms_with_post_have_to_be_asked_for() -> None:
    page = "<form method=post action=/p></form><form method=get action=/g></form>"
    assert found(page) == ["GET /g"]
    assert found(page, forms=True) == ["POST /p", "GET /g"]


def test_a_form_without_an_action_goes_to_the_page_itself() -> None:
    page = "<base href=/other/><form><input name=q></form><form action=x></form>"
    assert found(page) == ["GET /dir/page?q=", "GET /other/x"]
    assert found("<form method=post>", "/a?b=1", forms=True) == ["POST /a?b=1"]


def test_fields_belong_to_the_form_around_them() -> None:
    page = "<input name=before><form action=/f><form action=/inner><input name=in></form>"
    page += "<input name=after><select name=s><option>x</select>"
    assert found(page) == ["GET /f?in="]


def test_a_form_that_is_never_closed_is_one() -> None:
    assert found("<form action=/f><select name=s><option>x") == ["GET /f?s=x"]


def test_a_dialog_sends_nothing() -> None:
    assert found("<form method=dialog action=/f><input name=a></form>", forms=True) == []


def test_a_form_in_parts() -> None:
    page = """<form method=post enctype=multipart/form-data action=/up>
    <input name='a"b' value='form-of-quaich'><input type=file name=f>"""
    (target,) = links(page.encode(), HTML, "/", forms=True)
    assert target.content_type == "multipart/form-data; boundary=form-of-quaichx"
    assert target.content == (
        b'--form-of-quaichx\r\nContent-Disposition: form-data; name="a%22b"\r\n\r\n'
        b"form-of-quaich\r\n"
        b'--form-of-quaichx\r\nContent-Disposition: form-data; name="f"; filename=""\r\n'
        b"Content-Type: application/octet-stream\r\n\r\n\r\n"
        b"--form-of-quaichx--\r\n"
    )


markup = st.lists(
    st.sampled_from(
        [
            *["<a href=", "<img src='", "<base href=", "<form ", "method=post ", "action=", "<"],
            *["enctype=multipart/form-data ", "<input name=a value=", "<select name=s>", "</"],
            *["<option selected>", "<textarea name=t>", "</form>", "</select>", ">", "'", '"', "!"],
            *["<!--", "-->", "<![", "[", "]]>", "&#", "&amp;", ";", "http://", "//", "?", "#", "%"],
            *["\0", "\n", " ", "\\", "é", "/", "..", "1", "x:", "<script>", "<?", "@", ":"],
        ]
    )
).map("".join)
charsets = st.sampled_from(["", ";charset=utf-16", ";charset=hz", ";charset=utf-7"])


@given(
    page=st.binary() | markup.map(str.encode),
    content_type=charsets.map("text/html{}".format) | st.text(),
    path=st.text() | markup,
    base=markup,
)
def test_no_page_raises_and_every_target_can_be_sent(
    page: bytes, content_type: str, path: str, base: str
) -> None:
    for target in links(page, content_type, path, forms=True):
        assert_can_be_sent(target)
    place = resolve(path, base, ORIGIN)
    if place is not None:
        assert_can_be_sent(Target("GET", *place))


# --- The crawl ---------------------------------------------------------------------------------


def crawled(crawl: Crawl, pages: dict[str, str]) -> list[str]:
    """What is asked for, of an application with these pages."""
    asked = []
    for target in crawl:
        asked.append(target.request_target)
        names = pages.get(target.path, "").split()
        page = "".join(f"<a href='{name}'>" for name in names)
        crawl.add(target, page.encode(), "text/html")
    return asked


def test_a_crawl_visits_each_page_once_the_near_ones_first() -> None:
    pages = {"/": "/a /b /", "/a": "/c /b", "/b": "/a /d", "/c": "/"}
    crawl = Crawl([parse_path("/"), parse_path("/")])
    assert crawled(crawl, pages) == ["/", "/a", "/b", "/c", "/d"]
    assert crawl.left_out == 0


def test_a_crawl_ends_at_a_number_of_pages() -> None:
    crawl = Crawl([parse_path("/")], most=3)
    assert crawled(crawl, {"/": "/a /b /c /d", "/a": "/c"}) == ["/", "/a", "/b"]
    assert crawl.left_out == 2


def test_what_is_asked_for_is_given_whatever_the_limit() -> None:
    crawl = Crawl(map(parse_path, ["/1", "/2?a", "/2?b", "/2?c", "/2?d", "/logout"]), most=2)
    assert crawled(crawl, {"/1": "/x"}) == ["/1", "/2?a", "/2?b", "/2?c", "/2?d", "/logout"]


def test_a_crawl_goes_no_deeper_than_told() -> None:
    crawl = Crawl([parse_path("/")], depth=2)
    assert crawled(crawl, {"/": "/1", "/1": "/2 /1b", "/2": "/3"}) == ["/", "/1", "/2", "/1b"]
    assert crawl.left_out == 1
    endless = Crawl([parse_path("/")], most=1000, depth=5)
    assert len(crawled(endless, {"/" + "x/" * n: "x/" for n in range(100)})) == 6


def test_a_calendar_does_not_swallow_a_crawl() -> None:
    months = " ".join(f"/month?m={number}" for number in range(20))
    crawl = Crawl([parse_path("/")])
    asked = crawled(crawl, {"/": months + " /last", "/month": months})
    assert asked == ["/", "/month?m=0", "/month?m=1", "/month?m=2", "/last"]
    assert crawl.left_out == 17


def test_a_crawl_sends_forms_if_told() -> None:
    page = b"<form method=post action=/f></form>"
    for forms, methods in ((False, ["GET"]), (True, ["GET", "POST"])):
        crawl = Crawl([parse_path("/")], forms=forms)
        crawl.add(Target("GET", "/"), page, "text/html")
        assert [target.method for target in crawl] == methods


@pytest.mark.parametrize(
    ("location", "asked"),
    [
        ("/a", ["/dir/", "/a"]),
        ("a?b=ö", ["/dir/", "/dir/a?b=%C3%B6"]),
        ("http://application.invalid/a", ["/dir/", "/a"]),
        ("http://example.com/a", ["/dir/"]),
        ("/logout", ["/dir/"]),
        ("http://[", ["/dir/"]),
    ],
)
def test_a_crawl_goes_where_it_is_redirected(location: str, asked: list[str]) -> None:
    crawl = Crawl([parse_path("/dir/")])
    crawl.add(Target("GET", "/dir/"), b"", "", location)
    assert [target.request_target for target in crawl] == asked
