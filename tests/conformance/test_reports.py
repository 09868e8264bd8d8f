"""The reports' formats: what stands in each, and that no text in a finding breaks one."""

import json
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quaich.conformance.findings import NOWHERE, Finding, Where
from quaich.conformance.reports import FORMATS, Outcome, github, text
from quaich.conformance.rules import Severity, catalogue

PLACE = Where("/srv/shop/views.py", 41, "cups")


def finding(
    rule: str = "A07",
    severity: Severity = "error",
    message: str = "the headers are a tuple",
    where: Where = PLACE,
    party: str = "application",
    count: int = 1,
) -> Finding:
    return Finding(rule, severity, party, message, "A list it is.", where, "Pass a list.", count)


def outcome(*findings: Finding, rules: tuple[str, ...] = ("A06", "A07", "A21", "S22")) -> Outcome:
    return Outcome(
        app="shop.wsgi:application",
        requests=41,
        rules_checked=rules,
        findings=findings,
        trials=(("plain GET", 1), ("HEAD", 40)),
        version="1.2.3",
        time=datetime(2026, 11, 27, 3, 5, tzinfo=UTC),
    )


ERROR = finding(count=3)
WARNING = finding("A21", "warning", "blocks of one octet", Where("/srv/shop/app.py", 0, ""))
INFO = finding("S22", "info", "an attribute is used", NOWHERE, "server")


# --- Any text ---------------------------------------------------------------------------------

PROPERTY = settings(derandomize=True, database=None, deadline=None, max_examples=100)
# What means something in one of the formats or another, controls and surrogates among it.
TEXTS = st.lists(
    st.one_of(
        st.sampled_from(
            [
                *("<b>", "</p>", "</style>", "</title>", "-->", "&amp;", '"', "'", "`", "``"),
                *("]]>", "%0A", "%", "::", ",", "\n", "\r", "\r\n::error::", "##[error]"),
                *("\x00", "\x1b[2J", "\x85", "\u2028", "\u202e", "\ufffe", "\ud800", "\udc80"),
                *("é", "💣"),
            ]
        ),
        st.text(max_size=8),
    ),
    max_size=6,
).map("".join)
FINDINGS = st.builds(
    Finding,
    rule=st.sampled_from(["A07", "A21", "H045"]) | TEXTS,
    severity=st.sampled_from(["error", "warning", "info"]),
    party=st.sampled_from(["application", "server"]) | TEXTS,
    message=TEXTS,
    allowed=TEXTS,
    where=st.builds(Where, TEXTS, st.integers(0, 9999), TEXTS),
    hint=TEXTS,
    count=st.integers(1, 50),
    requests=st.lists(TEXTS, max_size=2).map(tuple),
)
OUTCOMES = st.builds(
    Outcome,
    app=TEXTS,
    requests=st.integers(0, 99),
    rules_checked=st.lists(st.sampled_from(["A06", "A07"]) | TEXTS, unique=True).map(tuple),
    findings=st.lists(FINDINGS, max_size=4).map(tuple),
    trials=st.lists(st.tuples(TEXTS, st.integers(0, 9)), max_size=2).map(tuple),
    version=TEXTS,
    time=st.none() | st.datetimes(timezones=st.just(UTC)),
    answers=st.lists(st.tuples(TEXTS, TEXTS), max_size=2).map(tuple),
)


@PROPERTY
@given(OUTCOMES)
def test_every_report_can_be_encoded_and_ends_its_last_line(ended: Outcome) -> None:
    for render in FORMATS.values():
        report = render(ended)
        report.encode("utf-8")
        assert report.endswith("\n") or report == ""


@PROPERTY
@given(OUTCOMES)
def test_only_printable_characters_reach_a_terminal(ended: Outcome) -> None:
    for name in ("text", "github"):
        assert all(line.isprintable() for line in FORMATS[name](ended).split("\n"))


def is_encodable(value: str) -> bool:
    return not re.search("[\ud800-\udfff]", value)


@PROPERTY
@given(OUTCOMES)
def test_json_gives_every_text_back(ended: Outcome) -> None:
    parsed = json.loads(FORMATS["json"](ended))
    for given_, read in zip(ended.findings, parsed["findings"], strict=True):
        assert read["count"] == given_.count
        if is_encodable(given_.message):  # two surrogates would come back as one character
            assert read["message"] == given_.message
        if is_encodable(str(given_.where)):
            assert read["where"] == str(given_.where)


@PROPERTY
@given(OUTCOMES)
def test_junit_is_xml_and_has_a_case_for_each_rule(ended: Outcome) -> None:
    root = ET.fromstring(FORMATS["junit"](ended).encode("utf-8"))
    (suite,) = root
    cases = suite.findall("testcase")
    rules = {*ended.rules_checked, *(each.rule for each in ended.findings)}
    assert len(cases) == len(rules) == int(suite.attrib["tests"])
    failed = {each.rule for each in ended.findings if each.severity == "error"}
    assert len(suite.findall("testcase/failure")) == len(failed) == int(suite.attrib["failures"])


@PROPERTY
@given(OUTCOMES)
def test_a_finding_is_one_command_of_github(ended: Outcome) -> None:
    lines = FORMATS["github"](ended).split("\n")
    assert lines.pop() == ""
    assert len(lines) == len(ended.findings)
    for line, given_ in zip(lines, ended.findings, strict=True):
        match = re.fullmatch(r"::(error|warning|notice) ((?:[a-z]+=[^:,\r\n]*,?)+)::(.*)", line)
        assert match is not None
        names = [each.split("=")[0] for each in match[2].split(",")]
        place = ["file", "line"][: 1 + bool(given_.where.line)] if given_.where.file else []
        assert names == [*place, "title"]


class Balance(HTMLParser):
    """Notes the tags, the attributes and the text of a page whose tags have to be balanced."""

    VOID = frozenset({"meta", "link"})

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.items: list[str] = []  # what stands in <p class="message">
        self.words = ""  # all text of the body
        self.feed(source)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attrs
        if ("class", "message") in attrs:
            self.items.append("")
        if tag not in self.VOID:
            self.open.append(tag if ("class", "message") not in attrs else "p.message")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop().split(".")[0] == tag

    def handle_data(self, data: str) -> None:
        if "body" in self.open:
            self.words += data
        if self.open[-1:] == ["p.message"]:
            self.items[-1] += data


# Nothing that loads, runs or sends anything.
ALLOWED = {
    *("html", "head", "meta", "link", "title", "style", "body", "header", "main", "section"),
    *("article", "footer", "h1", "h2", "h3", "p", "ul", "li", "dl", "dt", "dd", "div", "span"),
    *("a", "strong", "time", "code", "pre", "details", "summary", "figure", "figcaption"),
    *("table", "thead", "tbody", "tr", "th", "td"),
}


@PROPERTY
@given(OUTCOMES)
def test_a_page_is_balanced_and_its_messages_are_text(ended: Outcome) -> None:
    source = FORMATS["html"](ended)
    page = Balance(source)
    assert page.tags <= ALLOWED
    messages = [each.message for each in ended.findings if each.message.isprintable()]
    assert set(messages) <= set(page.items)
    # A parser forgives a < that begins no tag; the page has none.
    body = source[source.index("<body>") :]
    assert all(
        re.match(r"</?[a-z][a-z0-9]*[ >]", body[m.start() :]) for m in re.finditer("<", body)
    )


# --- text -------------------------------------------------------------------------------------


def test_a_text_groups_by_severity_and_ends_with_a_summary() -> None:
    assert text.render(outcome(INFO, WARNING, ERROR)) == (
        "Errors\n"
        "\n"
        "  A07   /srv/shop/views.py:41 in cups\n"
        "        the headers are a tuple (3 times)\n"
        "        Hint: Pass a list.\n"
        "\n"
        "Warnings\n"
        "\n"
        "  A21   /srv/shop/app.py\n"
        "        blocks of one octet\n"
        "        Hint: Pass a list.\n"
        "\n"
        "Info\n"
        "\n"
        "  S22   no place known [server]\n"
        "        an attribute is used\n"
        "        Hint: Pass a list.\n"
        "\n"
        "1 error, 1 warning, 1 info in 41 requests; 4 rules checked."
        " quaich explain A07 says more.\n"
    )


def test_a_text_says_so_where_there_are_no_errors() -> None:
    last = text.render(outcome(WARNING, WARNING)).splitlines()[-1]
    assert last.startswith("No errors, 2 warnings in 41 requests; ")
    assert last.endswith(" quaich explain A21 says more.")


def test_a_text_of_nothing_is_one_line() -> None:
    ended = replace(outcome(rules=("A07",)), requests=1)
    assert text.render(ended) == (
        "Nothing was found: shop.wsgi:application kept 1 rule in 1 request.\n"
    )


def test_a_text_is_a_hundred_columns_wide() -> None:
    long = " ".join(["word"] * 100)
    lines = text.render(outcome(finding(message=long), replace(ERROR, hint=long))).splitlines()
    assert 90 < max(map(len, lines)) <= 100


def test_a_text_breaks_no_name_to_fit_it_in() -> None:
    name = "/srv" + "/shop-of-cups" * 12
    assert name in text.render(outcome(finding(message=f"the path is {name}")))


def test_a_text_has_colours_only_where_they_are_wanted() -> None:
    ended = outcome(ERROR, WARNING)
    coloured = text.render(ended, colour=True)
    assert "\x1b[1;31mErrors\x1b[0m" in coloured
    assert "\x1b[1;33mA21 \x1b[0m" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == text.render(ended)


PAGES = (("GET /", "200 OK"), ("GET /old", "301 Moved"), ("GET /a\x1b", "404 Not\nFound"))


def test_a_text_names_the_pages_where_there_are_several() -> None:
    asked = replace(ERROR, requests=("GET /", "GET /a\x1b"))
    report = text.render(replace(outcome(asked), answers=PAGES))
    assert "a tuple (3 times)\n        Asked for: GET /, GET /a\\x1b\n" in report
    assert "Asked for" not in text.render(replace(outcome(asked), answers=PAGES[:1]))
    assert "Asked for" not in text.render(replace(outcome(ERROR), answers=PAGES))


def test_the_other_formats_name_them_too() -> None:
    ended = outcome(replace(ERROR, requests=("GET /<a>", "GET /b")))
    assert json.loads(FORMATS["json"](ended))["findings"][0]["requests"] == ["GET /<a>", "GET /b"]
    assert "a tuple (asked for GET /<a>, GET /b) (3 times)%0A" in FORMATS["github"](ended)
    failure = ET.fromstring(FORMATS["junit"](ended)).find(".//failure")
    assert failure is not None
    assert "(asked for GET /<a>, GET /b) (3 times)" in str(failure.text)
    assert "<code>GET /&lt;a&gt;</code>" in FORMATS["html"](ended)


def test_a_text_says_which_pages_were_none() -> None:
    for ended in (outcome(), outcome(ERROR)):
        report = text.render(replace(ended, answers=PAGES))
        assert report.endswith("\nAnswered with an error: GET /a\\x1b (404 Not Found).\n")
        assert text.render(replace(ended, answers=PAGES[:2])) == text.render(ended)


def test_a_text_says_where_no_page_was_there_to_be_checked() -> None:
    report = text.render(replace(outcome(), answers=(("GET /", "ValueError"),)))
    assert report.splitlines()[1] == (
        "Answered with an error: GET / (ValueError)."
        " Nothing else was asked for: name pages with --path."
    )


def test_a_text_lists_some_of_many_pages() -> None:
    many = tuple((f"GET /{number}", "404 Not Found") for number in range(12))
    report = text.render(replace(outcome(), answers=(PAGES[0], *many)))
    assert "GET /9 (404 Not Found), and 2 more." in report.replace("\n", " ")
    assert "GET /10" not in report


def test_other_formats_list_all_pages() -> None:
    ended = replace(outcome(), answers=(("GET /<a>", "404 <Not>"), ("GET /", "200 OK")))
    assert json.loads(FORMATS["json"](ended))["answers"] == [
        {"request": "GET /<a>", "answer": "404 <Not>"},
        {"request": "GET /", "answer": "200 OK"},
    ]
    page = FORMATS["html"](ended)
    assert '<th scope="row">GET /&lt;a&gt;</th><td>404 &lt;Not&gt;</td>' in page
    assert '<th scope="row">GET /</th><td>200 OK</td>' in page
    assert "What was asked for" not in FORMATS["html"](outcome())


# --- json -------------------------------------------------------------------------------------


def test_json_has_these_keys() -> None:
    report = FORMATS["json"](outcome(ERROR, INFO))
    assert report.startswith('{\n  "app": "shop.wsgi:application",\n')
    assert json.loads(report) == {
        "app": "shop.wsgi:application",
        "version": "1.2.3",
        "time": "2026-11-27T03:05:00+00:00",
        "requests": 41,
        "answers": [],
        "trials": [{"name": "plain GET", "requests": 1}, {"name": "HEAD", "requests": 40}],
        "rules_checked": ["A06", "A07", "A21", "S22"],
        "findings": [
            {
                "rule": "A07",
                "severity": "error",
                "party": "application",
                "message": "the headers are a tuple",
                "allowed": "A list it is.",
                "where": "/srv/shop/views.py:41 in cups",
                "hint": "Pass a list.",
                "count": 3,
                "requests": [],
                "file": "/srv/shop/views.py",
                "line": 41,
                "function": "cups",
            },
            {
                "rule": "S22",
                "severity": "info",
                "party": "server",
                "message": "an attribute is used",
                "allowed": "A list it is.",
                "where": "",
                "hint": "Pass a list.",
                "count": 1,
                "requests": [],
                "file": "",
                "line": None,
                "function": "",
            },
        ],
    }


def test_json_has_null_for_no_time() -> None:
    assert json.loads(FORMATS["json"](replace(outcome(), time=None)))["time"] is None


# --- junit ------------------------------------------------------------------------------------


def suite_of(ended: Outcome) -> ET.Element:
    (suite,) = ET.fromstring(FORMATS["junit"](ended))
    return suite


def test_a_rule_is_a_test_case_of_its_party() -> None:
    cases = suite_of(outcome()).findall("testcase")
    assert [(case.get("classname"), case.get("name"), len(case)) for case in cases] == [
        ("quaich.application", f"A06: {catalogue()['A06'].says}", 0),
        ("quaich.application", f"A07: {catalogue()['A07'].says}", 0),
        ("quaich.application", f"A21: {catalogue()['A21'].says}", 0),
        ("quaich.server", f"S22: {catalogue()['S22'].says}", 0),
    ]


def test_errors_of_a_rule_are_one_failure_and_the_rest_is_output() -> None:
    other = finding(message="the headers are None", where=NOWHERE)
    suite = suite_of(outcome(ERROR, other, WARNING, INFO))
    counts = [suite.get(name) for name in ("tests", "failures", "errors", "skipped")]
    assert counts == ["4", "1", "0", "0"]
    (failure,) = suite.iter("failure")
    assert failure.get("message") == "the headers are a tuple"
    assert failure.text == (
        "/srv/shop/views.py:41 in cups\n"
        "error (application): the headers are a tuple (3 times)\n"
        "Hint: Pass a list.\n"
        "\n"
        "error (application): the headers are None\n"
        "Hint: Pass a list."
    )
    assert [each.text for each in suite.iter("system-out")] == [
        "/srv/shop/app.py\nwarning (application): blocks of one octet\nHint: Pass a list.",
        "info (server): an attribute is used\nHint: Pass a list.",
    ]


def test_junit_names_the_application_the_version_and_the_time() -> None:
    suite = suite_of(outcome())
    assert suite.get("name") == "shop.wsgi:application"
    assert suite.get("timestamp") == "2026-11-27T03:05:00+00:00"
    properties = {each.get("name"): each.get("value") for each in suite.iter("property")}
    assert properties == {"quaich": "1.2.3", "requests": "41"}
    assert suite_of(replace(outcome(), time=None)).get("timestamp") is None


def test_junit_has_escapes_for_what_xml_forbids() -> None:
    (failure,) = suite_of(outcome(finding(message="a\x00b\x1b]]>\ud800"))).iter("failure")
    assert failure.get("message") == r"a\x00b\x1b]]>\ud800"


# --- github -----------------------------------------------------------------------------------


def test_a_severity_has_its_command() -> None:
    lines = github.render(outcome(ERROR, WARNING, INFO), root=Path("/srv")).splitlines()
    assert lines == [
        "::error file=shop/views.py,line=41,title=A07"
        "::the headers are a tuple (3 times)%0APass a list.",
        "::warning file=shop/app.py,title=A21::blocks of one octet%0APass a list.",
        "::notice title=S22::server: an attribute is used%0APass a list.",
    ]


def test_github_gets_nothing_for_nothing() -> None:
    assert github.render(outcome()) == ""


def test_commands_are_escaped_as_github_reads_them() -> None:
    odd = finding(message="100% of a:b,c\r\nd", where=Where("/srv/a,b:c%\n.py", 1, "f"))
    assert github.render(outcome(odd), root=Path("/srv")) == (
        "::error file=a%2Cb%3Ac%25%0A.py,line=1,title=A07::100%25 of a:b,c%0D%0Ad%0APass a list.\n"
    )


def test_files_are_named_from_the_current_directory_if_below_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    inside = finding(where=Where(str(Path.cwd() / "shop" / "app.py"), 1, "f"))
    beside = finding(where=Where(f"{Path.cwd()}-old/app.py", 1, "f"))
    relative = finding(where=Where("shop/app.py", 1, "f"))
    names = re.findall(r"file=([^,]*),", github.render(outcome(inside, beside, relative)))
    assert names == ["shop/app.py", beside.where.file, "shop/app.py"]


# --- html -------------------------------------------------------------------------------------


def test_a_page_says_what_was_checked_and_found() -> None:
    page = Balance(FORMATS["html"](outcome(ERROR, WARNING, INFO)))
    wanted = [
        "shop.wsgi:application",
        "2026-11-27 03:05 UTC",
        "Quaich 1.2.3",
        "the headers are a tuple",
        "/srv/shop/views.py:41 in cups · 3\xa0times",
        "by the server · PEP 3333",
        "Pass a list.",
        "no place known",
        "plain GET",
    ]
    assert [each for each in wanted if each not in page.words] == []
    kinds = [value for name, value in page.attributes if name == "class" and value]
    assert [each for each in kinds if each.startswith("badge")] == [
        "badge error",
        "badge warning",
        "badge info",
    ]


def test_a_page_has_a_rule_of_the_catalogue_with_its_examples() -> None:
    rule = catalogue()["A07"]
    page = Balance(FORMATS["html"](outcome(ERROR)))
    assert {"details", "summary", "pre"} <= page.tags
    for words in (rule.says.replace("`", ""), rule.bad.strip("\n"), rule.good.strip("\n")):
        assert words in page.words
    assert "details" not in Balance(FORMATS["html"](outcome())).tags


def test_a_page_says_a_hint_once_for_all_places() -> None:
    page = Balance(FORMATS["html"](outcome(ERROR, finding(message="another"))))
    assert (page.words.count("Pass a list."), len(page.items)) == (1, 2)


def test_a_page_lists_the_rules_that_were_kept() -> None:
    source = FORMATS["html"](outcome(ERROR, WARNING))
    table = source[source.index('<table aria-labelledby="kept">') :]
    assert re.findall('<th scope="row">([A-Z]+[0-9]+)</th>', table) == ["A06", "S22"]
    source = FORMATS["html"](outcome(ERROR, rules=("A07",)))
    assert '<table aria-labelledby="kept">' not in source


def test_a_page_of_nothing_says_so() -> None:
    words = Balance(FORMATS["html"](outcome())).words
    assert "Nothing was found: 4 rules kept in 41 requests." in words


def test_code_in_a_text_of_the_catalogue_is_marked_as_such() -> None:
    hinted = replace(ERROR, hint="Write `a < b`, or ``a`b``; a lone ` is one.")
    source = FORMATS["html"](outcome(hinted))
    assert "Write <code>a &lt; b</code>, or <code>a`b</code>; a lone ` is one." in source


def test_a_page_needs_nothing_from_elsewhere() -> None:
    source = FORMATS["html"](outcome(ERROR, WARNING, INFO))
    page = Balance(source)
    links = [value or "" for name, value in page.attributes if name in ("href", "src")]
    assert all(value.startswith(("#", "data:")) for value in links)
    style = source[source.index("<style>") : source.index("</style>")]
    assert "prefers-color-scheme: dark" in style
    assert not re.search(r"url\(|@import|https?:", style)
    assert not [name for name, _ in page.attributes if name.startswith("on")]


def test_a_link_in_a_page_has_its_target_once() -> None:
    page = Balance(FORMATS["html"](outcome(ERROR, WARNING, INFO, replace(ERROR, party="server"))))
    names = [value for name, value in page.attributes if name == "id"]
    targets = {
        value[1:]
        for name, value in page.attributes
        if name == "href" and value is not None and value.startswith("#")
    }
    assert targets <= set(names)
    assert len(names) == len(set(names))
