"""The target of a request, and Host: H025 to H042."""

import json
from typing import Final

from quaich.conformance.probe.judging import Broken, Probe, Untestable, trial
from quaich.conformance.probe.trials.asking import (
    Environ,
    get,
    ordinary,
    parse_environ,
    request,
    send,
    text,
    told,
)
from quaich.conformance.probe.trials.refusing import control, is_served, refuse_each
from quaich.conformance.probe.wire import Response

_OTHER: Final = b"other.probe.example:8099"  # where no server is

# --- The four forms of a target -----------------------------------------------------------------


@trial("H025")
def target_is_an_absolute_path(probe: Probe) -> str | None:
    """What has none of the four forms is refused."""
    control(probe, get(probe))
    path = ordinary(probe)
    targets = [b"hello", b"hello/page.html", b"?" + path[1:], b"\\hello", b"..", b"*" + path]
    cases = [
        (f"the target {target.decode()}", request(probe, b"GET %b HTTP/1.1" % target))
        for target in targets
    ]
    return refuse_each(probe, cases, 400)


@trial("H026")
def target_with_a_fragment(probe: Probe) -> str | None:
    """`#` is refused."""
    control(probe, get(probe))
    target = ordinary(probe)
    path, mark, query = target.partition(b"?")
    cases = [
        ("a path with '#part'", request(probe, b"GET %b#part%b%b HTTP/1.1" % (path, mark, query))),
        ("a query with '#part'", request(probe, b"GET %b?x=y#part HTTP/1.1" % path)),
    ]
    return refuse_each(probe, cases, 400)


def _uri(probe: Probe, rest: bytes = b"", before: bytes = b"http://") -> bytes:
    """A URI of the server."""
    return before + probe.client.authority + rest


def _environ_of_uri(probe: Probe, uri: bytes, what: str, *lines: bytes) -> Environ:
    """The environ of a request for a URI, whose path is that of the program ``environ``."""
    response = send(probe, request(probe, b"GET %b HTTP/1.1" % uri, *lines), what)
    if response.status != 200:
        raise Broken(f"{what} is {told(response)}")
    environ = parse_environ(response)
    if environ is None:
        calls = [each["path"] for each in probe.log() if each["event"] == "called"]
        path = f"PATH_INFO is {calls[-1]!r}" if calls else "the query is lost"
        raise Broken(f"{what} is not taken apart: {path}")
    return environ


@trial("H027")
def target_is_a_uri(probe: Probe) -> str | None:
    """It is taken apart into authority, path and query."""
    target = probe.target("environ").encode()
    query = target.partition(b"?")[2].decode()
    for scheme in (b"http://", b"HTTP://"):
        what = f"a target that begins with {scheme.decode()}"
        environ = _environ_of_uri(probe, _uri(probe, target, scheme), what)
        for name, wanted in (("PATH_INFO", "/environ"), ("QUERY_STRING", query)):
            if text(environ, name) != wanted:
                raise Broken(f"with {what}, {name} is {text(environ, name)!r}, not {wanted!r}")
    return None


@trial("H028")
def authority_of_a_uri(probe: Probe) -> str | None:
    """It takes the place of Host."""
    uri = _uri(probe, probe.target("environ").encode())
    control(probe, request(probe, b"GET %b HTTP/1.1" % uri), "a URI with the same Host")
    authority = probe.client.authority.decode()
    what = "a URI with a Host that differs"
    environ = _environ_of_uri(probe, uri, what, b"Host: " + _OTHER)
    host = _authority(environ)
    if host != authority:
        raise Broken(f"with {what}, the application's authority is {host!r}, not {authority!r}")
    return None


def _authority(environ: Environ) -> str:
    """The authority as an application puts it together: PEP 3333, "URL Reconstruction"."""
    host = text(environ, "HTTP_HOST")
    return host or f"{text(environ, 'SERVER_NAME')}:{text(environ, 'SERVER_PORT')}"


@trial("H029")
def uri_without_a_path(probe: Probe) -> str | None:
    """It stands for "/", and with OPTIONS for "*"."""
    uri = _uri(probe, probe.target("environ").encode())
    control(probe, request(probe, b"GET %b HTTP/1.1" % uri), "a URI with a path")
    query = b"?" + probe.target("hello").encode().partition(b"?")[2]
    what = "GET of a URI without a path"
    response = send(probe, request(probe, b"GET %b HTTP/1.1" % _uri(probe, query)), what)
    if response.status != 200:
        raise Broken(f"{what} is {told(response)}")
    calls = [each["path"] for each in probe.log("called", 1.0) if each["event"] == "called"]
    paths = calls[1:]  # the first is the control's
    if paths != ["/"]:
        raise Broken(f"with {what}, PATH_INFO is {', '.join(map(repr, paths)) or 'not known'}")
    star, path_of_star = _options(probe, b"*")
    bare, path_of_bare = _options(probe, _uri(probe))
    if (star.status, path_of_star) != (bare.status, path_of_bare):
        raise Broken(
            f"OPTIONS of * is {told(star)}, PATH_INFO {path_of_star!r}; "
            f"of a URI without a path it is {told(bare)}, PATH_INFO {path_of_bare!r}"
        )
    return None


def _options(probe: Probe, target: bytes) -> tuple[Response, str | None]:
    """What is answered, and the path with which the application was called, if it was."""

    def calls() -> list[str]:
        # There is no query, and so no tag.
        events = probe.client.get("/log").content
        return [each["path"] for each in json.loads(events) if each.get("method") == "OPTIONS"]

    before = len(calls())
    what = f"OPTIONS {target.decode()}"
    response = send(probe, request(probe, b"OPTIONS %b HTTP/1.1" % target), what)
    return response, next(iter(calls()[before:]), None)


@trial("H030")
def user_in_the_authority(probe: Probe) -> str | None:
    """User information is an error."""
    path = ordinary(probe)
    control(probe, request(probe, b"GET %b HTTP/1.1" % _uri(probe, path)), "a URI without a user")
    cases = [
        (f"a URI with {user.decode()!r}", request(probe, b"GET %b HTTP/1.1" % uri))
        for user in (b"user@", b"user:secret@", b"@")
        for uri in [_uri(probe, path, b"http://" + user)]
    ]
    return refuse_each(probe, cases, 400, 403, 421)


@trial("H031")
def port_of_connect(probe: Probe) -> str | None:
    """CONNECT is not granted without a port, or with an invalid one."""
    wrong = []
    for port in (b"", b":", b":99999", b":0x50", b":-1"):
        target = b"other.probe.example" + port
        what = f"CONNECT {target.decode()}"
        data = request(probe, b"CONNECT %b HTTP/1.1" % target, b"Host: other.probe.example")
        response = send(probe, data, what)
        if response.raw and response.status < 400:
            wrong.append(f"{what} is {told(response)}")
    if wrong:
        raise Broken("; ".join(wrong))
    return None


@trial("H032")
def host_and_port_is_for_connect(probe: Probe) -> str | None:
    """GET with host and port is refused, and CONNECT with a path or a URI."""
    control(probe, get(probe))
    target = ordinary(probe)
    cases = [
        (f"{name} {what}", request(probe, b"%b %b HTTP/1.1" % (name.encode(), target)))
        for name, what, target in (
            ("GET", "with host and port", probe.client.authority),
            ("GET", "with a name and a port", b"other.probe.example:80"),
            ("CONNECT", "with a path", target),
            ("CONNECT", "with a URI", _uri(probe, target)),
        )
    ]
    return refuse_each(probe, cases, 400, 405, 501)


@trial("H033")
def asterisk_is_for_options(probe: Probe) -> str | None:
    """GET * is refused, OPTIONS * answered."""
    control(probe, get(probe))
    response = send(probe, request(probe, b"OPTIONS * HTTP/1.1"), "OPTIONS *")
    if response.status in (0, 400) or (response.status >= 500 and response.status != 501):
        raise Broken(f"OPTIONS * is {told(response)}")
    cases = [
        (f"{method} *", request(probe, f"{method} * HTTP/1.1".encode(), b"Content-Length: 0"))
        for method in ("GET", "POST")
    ]
    refuse_each(probe, cases, 400)
    return f"OPTIONS * is {told(response)}"


# --- Octets of a target -------------------------------------------------------------------------


def _need_both(probe: Probe) -> tuple[bytes, bytes, bytes]:
    """An ordinary target, taken apart, of which a longer path and a longer query are served."""
    path, mark, query = ordinary(probe).partition(b"?")
    for what, target in (
        ("a path with an ordinary segment more", b"%b/axb?%b" % (path, query)),
        ("a query with an ordinary word more", b"%b?%b&axb" % (path, query)),
    ):
        control(probe, request(probe, b"GET %b HTTP/1.1" % target), what)
    return path, mark, query


@trial("H034")
def octets_that_a_uri_cannot_hold(probe: Probe) -> str | None:
    """Each is refused, in the path and in the query."""
    path, _, query = _need_both(probe)
    served: dict[str, list[str]] = {}
    for octet in b'\x00\x01\x0b\x1f\x7f"<>\\^`{|}\x80\xa0\xe9\xff':
        name = chr(octet) if 0x20 < octet < 0x7F else f"0x{octet:02X}"
        for where, target in (
            ("path", b"%b/a%cb?%b" % (path, octet, query)),
            ("query", b"%b?%b&a%cb" % (path, query, octet)),
        ):
            data = request(probe, b"GET %b HTTP/1.1" % target)
            response = send(probe, data, f"{name} in the {where}")
            if response.raw and response.status != 400:
                served.setdefault(f"in the {where}, {told(response)}", []).append(name)
    if served:
        lists = [f"{how}: {' '.join(names)}" for how, names in served.items()]
        raise Broken(f"not refused with 400, but {'; '.join(lists)}")
    return None


@trial("H035")
def percent_without_two_digits(probe: Probe) -> str | None:
    """It is refused, in the path and in the query."""
    path, _, query = _need_both(probe)
    cases = [
        (f"{part.decode()} in the {where}", request(probe, b"GET %b HTTP/1.1" % target))
        for part in (b"%", b"%4", b"%zz", b"%4g", b"%%41")
        for where, target in (
            ("path", b"%b/%b?%b" % (path, part, query)),
            ("query", b"%b?%b&x=%b" % (path, query, part)),
        )
    ]
    return refuse_each(probe, cases, 400)


# --- The authority ------------------------------------------------------------------------------


@trial("H036")
def url_of_a_request(probe: Probe) -> str | None:
    """What an application puts together from its environ is what was asked for."""
    target = probe.target("environ").encode()
    asked = 0
    for host in (probe.client.authority, _OTHER, b"other.probe.example"):
        data = request(probe, b"GET %b HTTP/1.1" % target, b"Host: " + host)
        response = send(probe, data, f"a request for {host.decode()}")
        if host != probe.client.authority and response.status in (400, 403, 404, 421):
            continue  # it is told which hosts it serves
        environ = parse_environ(response)
        if response.status != 200 or environ is None:
            raise Broken(f"a request for {host.decode()} is {told(response)}")
        path = (text(environ, "SCRIPT_NAME") or "") + (text(environ, "PATH_INFO") or "")
        url = f"{text(environ, 'wsgi.url_scheme')}://{_authority(environ)}{path}"
        url += f"?{text(environ, 'QUERY_STRING')}"
        wanted = f"http://{host.decode()}{target.decode()}"
        if url != wanted:
            raise Broken(f"from the environ comes {url}, not {wanted}")
        asked += 1
    return f"with {asked} values of Host"


@trial("H037")
def https_without_tls(probe: Probe) -> str | None:
    """A URI of https is not served on a connection without TLS."""
    line = b"GET %b HTTP/1.1" % _uri(probe, ordinary(probe), b"https://")
    response = send(probe, request(probe, line), "a URI of https, without TLS,")
    if response.raw and response.status < 300:
        raise Broken(f"a URI of https, without TLS, is {told(response)}")
    return told(response)


@trial("H038")
def without_host(probe: Probe) -> str | None:
    """HTTP/1.1 without Host is answered with 400."""
    control(probe, get(probe))
    path = ordinary(probe)
    cases = [
        ("a path without Host", b"GET %b HTTP/1.1\r\nAccept: */*\r\n\r\n" % path),
        ("a URI without Host", b"GET %b HTTP/1.1\r\nAccept: */*\r\n\r\n" % _uri(probe, path)),
    ]
    return refuse_each(probe, cases, 400, must_answer=True)


@trial("H039")
def several_hosts(probe: Probe) -> str | None:
    """More than one Host line is answered with 400."""
    control(probe, get(probe))
    ours = probe.client.authority
    cases = [
        (
            f"two Host lines that {how} (HTTP/{version.decode()})",
            request(
                probe,
                b"GET %b HTTP/%b" % (ordinary(probe), version),
                b"Host: " + ours,
                b"Accept: */*",
                b"%b: %b" % (name, second),
            ),
        )
        for version in (b"1.1", b"1.0")
        for how, name, second in (
            ("differ", b"Host", _OTHER),
            ("are alike", b"Host", ours),
            ("differ, one in small letters", b"host", _OTHER),
        )
    ]
    return refuse_each(probe, cases, 400, must_answer=True)


@trial("H040")
def value_of_host(probe: Probe) -> str | None:
    """What is no host, or no host and port, is answered with 400."""
    control(probe, get(probe))
    name = b"probe.example"
    if not is_served(probe, get(probe, b"Host: %b:80" % name)):
        name = probe.client.host.encode()  # it serves its own hosts only
        if b":" in name:
            raise Untestable("hosts by other names are refused, whatever they are")
    values = [
        name + rest for rest in (b" other", b"/path", b"?x", b"#x", b":80x", b":80:81", b":-1")
    ]
    values += [b"user@" + name, b"http://" + name, b"[::1", b"::1]", b"[::1]x", b"[" + name + b"]"]
    values += [b'"%b"' % name, b"<%b>" % name, b"a\\b", b"%zz"]
    cases = [(f"Host: {value.decode()}", get(probe, b"Host: " + value)) for value in values]
    return refuse_each(probe, cases, 400, must_answer=True)


@trial("H041")
def empty_host(probe: Probe) -> str | None:
    """It is served or refused."""
    response = send(probe, get(probe, b"Host:"), "an empty Host")
    if response.status >= 500:
        raise Broken(f"an empty Host is {told(response)}")
    return told(response)


@trial("H042")
def without_host_in_http10(probe: Probe) -> str | None:
    """It is served or refused."""
    data = b"GET %b HTTP/1.0\r\n\r\n" % ordinary(probe)
    response = send(probe, data, "a request in HTTP/1.0 without Host")
    if response.status >= 500:
        raise Broken(f"a request in HTTP/1.0 without Host is {told(response)}")
    return told(response)
