"""What responses look like on the wire (H114 to H140): their heads. Where they end has a
file of its own, ``endings``."""

import datetime
import re

from quaich.conformance.probe.judging import Broken, Probe, Untestable, describe, trial
from quaich.conformance.probe.trials.asking import answer, answered
from quaich.conformance.probe.wire import Response

_STATUS_LINE = re.compile(rb"HTTP/[0-9]\.[0-9] [1-5][0-9]{2} [\t \x21-\x7e\x80-\xff]*")
_FIELD_LINE = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t \x21-\x7e\x80-\xff]*")
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DATE = re.compile(
    rb"(%b), ([0-9]{2}) (%b) ([0-9]{4}) ([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60) GMT"
    % ("|".join(_WEEKDAYS).encode(), "|".join(_MONTHS).encode())
)


def _lines(response: Response) -> list[bytes]:
    """The lines of a head as it came."""
    head = response.raw.partition(b"\r\n\r\n")[0]
    return head.split(b"\r\n")


def _ordinary(probe: Probe) -> list[Response]:
    """Some responses: the application's, and the server's own to a request that is wrong."""
    responses = [answered(probe, "/")]
    if probe.has_application:
        responses.append(answered(probe, answer(probe, "hel", "lo", kind="iterator")))
        responses.append(answered(probe, answer(probe, "gone", status="404 Not Found")))
        responses.append(answered(probe, answer(probe, "moved", status="302 Found")))
    bad = probe.client.ask(probe.client.head("GET", "/", b"X Probe: 1"))
    if bad:
        responses.append(bad)
    return responses


# --- Heads --------------------------------------------------------------------------------------


@trial("H114")
def status_lines(probe: Probe) -> str | None:
    """The status line has its form, with a reason and without."""
    responses = _ordinary(probe)
    if probe.has_application:
        # A server may refuse a status without a reason, but not with a line that is none.
        responses.append(answered(probe, answer(probe, "hello", status="299 ")))
        responses.append(answered(probe, answer(probe, "hello", status="299 Quite All Right")))
    for response in responses:
        line = _lines(response)[0]
        if not _STATUS_LINE.fullmatch(line):
            raise Broken(f"the first line of a response is {line[:100]!r}")
    return None


@trial("H115")
def versions(probe: Probe) -> str | None:
    """The version is the highest that the server has."""
    came = {
        version: answered(probe, "/", version=version).version for version in ("1.1", "1.0", "1.2")
    }
    own = came["1.1"]
    if own not in (b"HTTP/1.0", b"HTTP/1.1"):
        raise Broken(f"HTTP/1.1 is answered in {own.decode('latin-1')}")
    for version in ("1.0", "1.2"):
        if came[version] != own:
            raise Broken(
                f"HTTP/1.1 is answered in {own.decode()}, and HTTP/{version} in "
                f"{came[version].decode('latin-1')}"
            )
    return f"all are answered in {own.decode()}"


@trial("H116")
def status_codes(probe: Probe) -> str | None:
    """Codes out of range do not reach the client; unknown ones within do."""
    for status in ("600 Beyond", "999 Beyond", "099 Below", "000 Nothing", "20 Short", "2000 Long"):
        with probe.client.connect() as connection:
            connection.send(probe.client.head("GET", answer(probe, "hello", status=status)))
            response = connection.response(interim=True)
            if not response and not response.raw and not connection.ended:
                raise Broken(f"the status {status!r} of an application brings no answer")
        line = _lines(response)[0]
        code = line.split(b" ")[1] if line.count(b" ") else b""
        if line and not re.fullmatch(rb"[1-5][0-9]{2}", code):
            raise Broken(f"the status {status!r} of an application is sent: {line[:80]!r}")
    for status in ("299 Custom", "599 Custom"):
        response = answered(probe, answer(probe, "hello", status=status))
        if response.status != int(status[:3]):
            raise Broken(f"the status {status!r} of an application becomes {describe(response)}")
    return None


def _refused_or_clean(probe: Probe, target: str, what: str) -> Response:
    """The answer to a head that an application must not give: its lines, if any come, have to be
    lines of a head, and nothing that stood behind a line end may be one of them."""
    with probe.client.connect() as connection:
        connection.send(probe.client.head("GET", target))
        response = connection.response()
        if not response and not response.raw and not connection.ended:
            raise Broken(f"{what} brings no answer, and the connection stays open")
    if response.raw:
        status, *fields = _lines(response)
        if not _STATUS_LINE.fullmatch(status):
            raise Broken(f"{what} is sent: {status[:80]!r}")
        for line in fields:
            if not _FIELD_LINE.fullmatch(line):
                raise Broken(f"{what} is sent: {line[:80]!r}")
    if response.values("x-smuggled"):
        raise Broken(f"{what} adds a field to the response: X-Smuggled")
    return response


def _survives(probe: Probe) -> None:
    if not probe.is_alive():
        raise Broken("the server answers nothing any more")


@trial("H117")
def reasons_without_controls(probe: Probe) -> str | None:
    """No control character of a reason reaches the client."""
    for reason in ("O\x01K", "O\x00K", "O\rK", "O\nK", "O\x7fK", "OK\r\nX-Smuggled: 1"):
        target = answer(probe, "hello", status=f"200 {reason}")
        _refused_or_clean(probe, target, f"the reason {reason!r}")
    _survives(probe)
    return "refused, or sent without them"


@trial("H118")
def clean_heads(probe: Probe) -> str | None:
    """No name and no value that the grammar forbids reaches the client."""
    for line in (
        "X-Probe: a\r\nX-Smuggled: 1",
        "X-Probe: a\nX-Smuggled: 1",
        "X-Probe: a\rX-Smuggled: 1",
        "X-Probe: a\r\n folded",
        "X-Probe: a\x00b",
        "X-Probe: a\x01b",
        "X Probe: a",
        "X-Probe:: a",
        ": a",
        "X-Probe\r\nX-Smuggled: a",
        "X-Pro\x00be: a",
    ):
        _refused_or_clean(probe, answer(probe, "hello", headers=(line,)), f"the header {line!r}")
    _survives(probe)
    return "refused, or sent without them"


@trial("H119")
def colons(probe: Probe) -> str | None:
    """No white space stands before the colon of a field line."""
    for response in _ordinary(probe):
        for line in _lines(response)[1:]:
            name, colon, _ = line.partition(b":")
            if not colon or name != name.strip() or not _FIELD_LINE.fullmatch(line):
                raise Broken(f"a line of a head is {line[:80]!r}")
    return None


# --- Fields ---------------------------------------------------------------------------------------


@trial("H133")
def each_response_has_a_date(probe: Probe) -> str | None:
    """2xx, 3xx and 4xx have one Date."""
    responses = _ordinary(probe)
    if probe.has_application:
        headers = ("Date: Mon, 05 Jun 2006 18:49:54 GMT",)
        responses.append(answered(probe, answer(probe, "hello", headers=headers)))
        responses.append(answered(probe, answer(probe, status="304 Not Modified")))
    for response in responses:
        count = len(response.values("Date"))
        if count != 1 and 200 <= response.status < 500:
            raise Broken(f"a response ({describe(response)}) has {count or 'no'} Date")
    return None


@trial("H134")
def the_form_of_dates(probe: Probe) -> str | None:
    """Date has the one form, and the day of the week is right."""
    seen = 0
    for response in _ordinary(probe):
        for value in response.values("Date"):
            seen += 1
            match = _DATE.fullmatch(value)
            if not match:
                raise Broken(f"Date is {value[:60]!r}")
            weekday, day, month, year = (part.decode() for part in match.groups()[:4])
            try:
                date = datetime.date(int(year), _MONTHS.index(month) + 1, int(day))
            except ValueError:
                raise Broken(f"Date is {value!r}, a day that does not exist") from None
            if _WEEKDAYS[date.weekday()] != weekday:
                raise Broken(f"Date is {value!r}, which is a {_WEEKDAYS[date.weekday()]}")
    if not seen:
        raise Untestable("no response has a Date")
    return None


@trial("H135")
def server_without_detail(probe: Probe) -> str | None:
    """Server names a product, and no more than one version."""
    values = answered(probe, "/").values("Server")
    if not values:
        return "there is no Server field"
    text = b" ".join(values).decode("latin-1")
    without_comments = re.sub(r"\([^()]*\)", " ", text)
    versions = [product for product in without_comments.split() if "/" in product]
    if without_comments != text or len(versions) > 1:
        raise Broken(f"Server goes into detail: {text!r}")
    return f"Server: {text}"


_NEEDED = {401: "WWW-Authenticate", 405: "Allow", 407: "Proxy-Authenticate", 426: "Upgrade"}


@trial("H136")
def fields_that_a_status_needs(probe: Probe) -> str | None:
    """The server's own 405 has Allow, and so on; an application's field stays."""
    authority = probe.client.authority.decode()
    for method, target in (
        ("TRACE", "/"),
        ("CONNECT", authority),
        ("OPTIONS", "*"),
        ("PROBE", "/"),
        ("PRI", "/"),
    ):
        response = probe.client.get(target, method=method)
        needed = _NEEDED.get(response.status)
        if needed and response.value(needed) is None:
            raise Broken(f"{method} is answered with {describe(response)}, without {needed}")
    if probe.has_application:
        for status, line in (
            ("401 Unauthorized", 'WWW-Authenticate: Basic realm="probe"'),
            ("405 Method Not Allowed", "Allow: GET, HEAD"),
        ):
            response = answered(probe, answer(probe, "no", status=status, headers=(line,)))
            name, _, value = line.partition(": ")
            if response.value(name) != value.encode():
                raise Broken(
                    f"an application's {status} has lost {line!r}: {describe(response)}, the field "
                    f"is {response.value(name)!r}"
                )
    return None


@trial("H137")
def get_and_head(probe: Probe) -> str | None:
    """HEAD is answered as GET, without the content."""
    targets = ["/"]
    if probe.has_application:
        headers = ("Content-Type: text/plain", "X-Probe: yes")
        targets.append(answer(probe, "hello", headers=(*headers, "Content-Length: 5")))
        targets.append(answer(probe, "gone", status="404 Not Found", headers=headers))
    for target in targets:
        got, head = answered(probe, target), answered(probe, target, "HEAD")
        if got.status != head.status:
            raise Broken(f"GET brings {describe(got)}, and HEAD {describe(head)}")
        if got.status in (405, 501):
            raise Broken(f"GET is answered with {describe(got)}")
        for name in ("content-type", "x-probe", "content-length"):
            for_get, for_head = got.value(name), head.value(name)
            # A length may be left out of HEAD.
            if for_get != for_head and not (name == "content-length" and for_head is None):
                raise Broken(f"{name} is {for_get!r} for GET and {for_head!r} for HEAD")
    return None


@trial("H138")
def trace_shows_nothing(probe: Probe) -> str | None:
    """TRACE does not send the fields of a request back."""
    response = probe.client.get("/", b"Cookie: probe=secret", method="TRACE")
    if not response:
        raise Broken(f"TRACE is answered with {describe(response)}")
    if b"probe=secret" in response.raw:
        raise Broken("the server sends the cookie of a TRACE request back")
    return f"TRACE is answered with {describe(response)}"


@trial("H139")
def no_interim_status_is_final(probe: Probe) -> str | None:
    """A 1xx that an application gives as its status does not stand alone."""
    for status in ("100 Continue", "101 Switching Protocols", "102 Processing", "103 Early Hints"):
        with probe.client.connect() as connection:
            connection.send(probe.client.head("GET", answer(probe, "hello", status=status)))
            response = connection.response(interim=True)
            if response.status == 101:
                raise Broken("101 is sent to a client that has asked for no other protocol")
            if response.status // 100 == 1:
                final = connection.response()
                if not final:
                    raise Broken(f"{describe(response)} is sent, and no final status follows")
            elif not response and not connection.ended:
                raise Broken(f"the status {status!r} of an application brings no answer")
    return None


@trial("H140")
def cookies_on_their_lines(probe: Probe) -> str | None:
    """Set-Cookie fields stay apart and in order."""
    cookies = ("one=1; Path=/", "two=2; Expires=Mon, 05 Jun 2006 18:49:54 GMT", "one=3")
    headers = tuple(f"Set-Cookie: {cookie}" for cookie in cookies)
    response = answered(probe, answer(probe, "hello", headers=headers))
    seen = [value.decode("latin-1") for value in response.values("Set-Cookie")]
    if seen != list(cookies):
        raise Broken(f"an application's cookies {list(cookies)!r} arrive as {seen!r}")
    return None
