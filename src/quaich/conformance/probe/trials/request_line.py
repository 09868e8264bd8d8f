"""The request line, but for what its target says: H013 to H024."""

from quaich.conformance.probe.judging import Broken, Probe, trial
from quaich.conformance.probe.trials.asking import (
    abc_chunk,
    get,
    ordinary,
    parse_environ,
    request,
    seen,
    send,
    serves_two,
    text,
    told,
)
from quaich.conformance.probe.trials.refusing import control, refuse_each
from quaich.conformance.probe.wire import Response


@trial("H013")
def parts_of_the_request_line(probe: Probe) -> str | None:
    """A part too few and a part too many are refused."""
    control(probe, get(probe))
    target = ordinary(probe)
    lines = [b"GET", b"GET HTTP/1.1", b"%b HTTP/1.1" % target, b"GET %b HTTP/1.1 more" % target]
    return refuse_each(
        probe, ((f"the line {line!r}", request(probe, line)) for line in lines), 400, 505
    )


@trial("H014")
def white_space_in_the_request_line(probe: Probe) -> str | None:
    """Other white space than single spaces is refused, or separates the parts."""
    control(probe, get(probe))
    target = probe.target("environ").encode()
    came = []
    for name, line in (
        ("two spaces", b"GET  %b HTTP/1.1" % target),
        ("two spaces before the version", b"GET %b  HTTP/1.1" % target),
        ("a tab", b"GET\t%b HTTP/1.1" % target),
        ("a space in front", b" GET %b HTTP/1.1" % target),
        ("a space behind", b"GET %b HTTP/1.1 " % target),
    ):
        environ = seen(probe, request(probe, line), f"a request line with {name}")
        if environ is not None:
            call = (text(environ, "REQUEST_METHOD"), text(environ, "PATH_INFO"))
            if call != ("GET", "/environ") or " " in (text(environ, "QUERY_STRING") or ""):
                raise Broken(f"with {name}, the application is asked for {call!r}")
            came.append(name)
    return f"taken: {', '.join(came)}" if came else "all refused"


@trial("H015")
def white_space_in_the_target(probe: Probe) -> str | None:
    """A space in the target is refused, or redirected to where it is escaped."""
    control(probe, get(probe))
    target = ordinary(probe)
    path, mark, query = target.partition(b"?")
    cases = [
        ("a space in the path", request(probe, b"GET %b/a b%b%b HTTP/1.1" % (path, mark, query))),
        ("a space in the query", request(probe, b"GET %b?x=a b HTTP/1.1" % path)),
    ]
    return refuse_each(probe, cases, 400, 301, 308)


@trial("H016")
def method_is_a_token(probe: Probe) -> str | None:
    """A method that is no token is refused; one in small letters is another method."""
    control(probe, get(probe))
    cases = [
        (f"the method {method!r}", request(probe, b"%b %b HTTP/1.1" % (method, ordinary(probe))))
        for method in (b"G@T", b"GET(", b"G\xe9T", b"G\x01T", b"[GET]")
    ]
    came = refuse_each(probe, cases, 400, 405, 501)
    if not probe.has_application:
        return came
    line = b"get %b HTTP/1.1" % probe.target("environ").encode()
    environ = parse_environ(send(probe, request(probe, line), "the method 'get'"))
    method = None if environ is None else text(environ, "REQUEST_METHOD")
    if method not in (None, "get"):
        raise Broken(f"the method 'get' is told as {method!r}")
    return f"{came}; 'get' is {'not served' if method is None else 'passed on as it is'}"


@trial("H017")
def long_method(probe: Probe) -> str | None:
    """The first method that is refused for its length is refused with 501."""
    control(probe, get(probe))
    for size in (60, 600, 6000, 60_000, 200_000):
        line = b"%b %b HTTP/1.1" % (b"GET" * (size // 3), ordinary(probe))
        response = send(probe, request(probe, line), f"a method of {size} octets")
        if response.status == 501:
            return f"a method of {size} octets is answered with 501"
        if not _is_served(probe, response):
            raise Broken(f"a method of {size} octets is {told(response)}, not 501")
    return "a method of 200000 octets is served"


@trial("H018")
def unknown_method(probe: Probe) -> str | None:
    """A method that nobody knows reaches the application, or is answered with 501 or 405."""
    name = probe.target("environ") if probe.has_application else "/"
    response = send(probe, request(probe, f"BREW {name} HTTP/1.1".encode()), "the method BREW")
    if response.status == 405 and response.value("Allow") is None:
        raise Broken("the method BREW is answered with 405, without Allow")
    if response.status in (405, 501):
        return f"the method BREW is {told(response)}"
    if probe.has_application:
        environ = parse_environ(response)
        if response.status != 200 or environ is None:
            raise Broken(f"the method BREW is {told(response)}")
        if text(environ, "REQUEST_METHOD") != "BREW":
            raise Broken(f"the method BREW is told as {text(environ, 'REQUEST_METHOD')!r}")
    elif response.status in (0, 400):
        raise Broken(f"the method BREW is {told(response)}")
    return "the method BREW reaches the application"


@trial("H019")
def long_target(probe: Probe) -> str | None:
    """The first target that is too long is refused with 414; those before it come whole."""
    control(probe, get(probe))
    start = b"/?x="
    if probe.has_application:
        start = probe.target("environ").encode() + b"&x="
    for size in (1000, 4000, 8000, 16_000, 33_000, 66_000, 132_000, 300_000):
        target = start + b"x" * (size - len(start) - 1) + b"z"
        what = f"a target of {size} octets"
        response = send(probe, request(probe, b"GET %b HTTP/1.1" % target), what)
        if response.status == 414:
            return f"{what} is answered with 414"
        if not _is_served(probe, response):
            raise Broken(f"{what} is {told(response)}, not 414")
        if probe.has_application:
            query = text(parse_environ(response) or {}, "QUERY_STRING") or ""
            if query.encode() != target.partition(b"?")[2]:
                raise Broken(f"of {what}, QUERY_STRING has {len(query)} characters: it is cut")
    return "a target of 300000 octets is read"


def _is_served(probe: Probe, response: Response) -> bool:
    """Whether the application has answered, as far as can be seen: one that is not ours may
    answer with other statuses than 200, but hardly with these."""
    if probe.has_application:
        return response.status == 200
    return response.status not in (0, 400, 413, 414, 431) and response.status < 500


@trial("H020")
def request_line_of_8000_octets(probe: Probe) -> str | None:
    """It is read."""
    normal = control(probe, get(probe))
    target = ordinary(probe)
    target += (b"&x=" if b"?" in target else b"?x=") + b"x" * 8000
    line = b"GET %b HTTP/1.1" % target[: 8000 - len(b"GET  HTTP/1.1")]
    response = send(probe, request(probe, line), "a request line of 8000 octets")
    if response.status != normal.status:
        raise Broken(f"a request line of 8000 octets is {told(response)}")
    return None


@trial("H021")
def form_of_the_version(probe: Probe) -> str | None:
    """What is no version is refused."""
    control(probe, get(probe))
    versions = [b"http/1.1", b"Http/1.1", b"HTTP/1", b"HTTP/1.", b"HTTP/1.10", b"HTTP/01.1"]
    versions += [b"HTTP/+1.1", b"HTTP/1.x", b"HTTP/1,1", b"HTTPS/1.1", b"HTTP/", b"XYZ"]
    cases = [
        (
            f"the version {version.decode()}",
            request(probe, b"GET %b %b" % (ordinary(probe), version)),
        )
        for version in versions
    ]
    return refuse_each(probe, cases, 400, 505)


@trial("H022")
def higher_minor_version(probe: Probe) -> str | None:
    """HTTP/1.2 is served as HTTP/1.1 is: its persistence and its chunks."""

    def data(version: bytes) -> bytes:
        return get(probe).replace(b" HTTP/1.1\r\n", b" HTTP/%b\r\n" % version, 1)

    normal = control(probe, data(b"1.1"))
    persists = serves_two(probe, data(b"1.1"), data(b"1.1"))
    for version in (b"1.2", b"1.9"):
        name = f"HTTP/{version.decode()}"
        response = send(probe, data(version), f"a request in {name}")
        if response.status != normal.status:
            raise Broken(
                f"a request in {name} is {told(response)}, one in HTTP/1.1 {normal.status}"
            )
        if persists and not serves_two(probe, data(version), data(version)):
            raise Broken(f"the connection persists with HTTP/1.1, and not with {name}")
    if not probe.has_application or normal.version != b"HTTP/1.1":
        return None
    if probe.client.ask(abc_chunk(probe, b"3")).content == b"abc":
        response = probe.client.ask(abc_chunk(probe, b"3", "1.2"))
        if response.content != b"abc":
            raise Broken(
                f"a chunk in HTTP/1.2 is {told(response)}, and read as {response.content!r}"
            )
    return None


@trial("H023")
def unknown_major_version(probe: Probe) -> str | None:
    """It is answered with 505, and the connection closes."""
    control(probe, get(probe))
    for version in ("HTTP/2.0", "HTTP/3.0"):
        with probe.client.connect() as connection:
            line = b"GET %b %b" % (ordinary(probe), version.encode())
            connection.send(request(probe, line))
            response = connection.response()
            if response.status != 505:
                raise Broken(f"a request in {version} is {told(response)}, not 505")
            if not connection.is_closed():
                raise Broken(f"the connection stays open after a request in {version}")
    return None


@trial("H024")
def request_line_without_a_version(probe: Probe) -> str | None:
    """What is answered has a status line."""
    data = b"GET %b\r\n\r\n" % ordinary(probe)
    response = send(probe, data, "a request line without a version")
    if not response.raw:
        return "the connection closes"
    if not response:
        raise Broken(f"the answer has no status line: it begins with {response.raw[:30]!r}")
    return told(response)
