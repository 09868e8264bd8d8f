"""The variables of CGI in the environ, and the names of all: S03, S04, S10, S11, S23 to S36, S48,
S86."""

import ipaddress
import json
import re
from typing import Final

from quaich.conformance.probe.judging import Broken, Probe, Untestable, describe, trial
from quaich.conformance.probe.trials.asking import environ_of, text_of, variables
from quaich.conformance.probe.trials.steps import calls, shorten, show

_WSGI: Final = {
    f"wsgi.{name}"
    for name in (
        *("version", "url_scheme", "input", "errors"),
        *("multithread", "multiprocess", "run_once"),
    )
}
_REQUIRED: Final = {
    *("REQUEST_METHOD", "SERVER_NAME", "SERVER_PORT", "SERVER_PROTOCOL"),
    *_WSGI,
}
# Of CGI (RFC 3875), and what Apache and its kin have made customary.
_CUSTOMARY: Final = {
    *("AUTH_TYPE", "CONTENT_LENGTH", "CONTENT_TYPE", "GATEWAY_INTERFACE", "PATH_INFO"),
    *("PATH_TRANSLATED", "QUERY_STRING", "REMOTE_ADDR", "REMOTE_HOST", "REMOTE_IDENT"),
    *("REMOTE_USER", "REQUEST_METHOD", "SCRIPT_NAME", "SERVER_NAME", "SERVER_PORT"),
    *("SERVER_PROTOCOL", "SERVER_SOFTWARE", "HTTPS", "REQUEST_URI", "RAW_URI", "REQUEST_SCHEME"),
    *("REMOTE_PORT", "SERVER_ADDR", "DOCUMENT_ROOT", "SCRIPT_FILENAME", "SERVER_ADMIN"),
    *("REQUEST_TIME", "REDIRECT_STATUS", "PATH", "UNIQUE_ID", "DOCUMENT_URI"),
}


@trial("S03")
def text_is_str_and_content_is_bytes(probe: Probe) -> str | None:
    """The types of the variables and of what is read."""
    seen = variables(probe)
    for name, (kind, text, *_) in seen.items():
        if "." not in name and kind != "str":
            raise Broken(f"{name} is {text} of type {kind}")
    request = calls(probe, ("read", 5))
    response = probe.client.post(request, b"cups!")
    if response.status != 200:
        raise Broken(f"POST is answered with {describe(response)}")
    kind, text = json.loads(response.content)[0]
    if (kind, text) != ("bytes", "cups!"):
        raise Broken(f"content that is read is {text!r} of type {kind}, not b'cups!'")
    return None


@trial("S04")
def octets_become_code_points(probe: Probe) -> str | None:
    """Octets from 0x80 on, escaped in the path and as they are in a field."""
    path = f"/variables/%E2%82%AC%FF?tag={probe.tag}"
    seen = variables(probe, target=path)
    for name in ("PATH_INFO", "SCRIPT_NAME", "QUERY_STRING"):
        _must_be_latin(name, seen.get(name, ["str", ""])[1])
    got = seen.get("PATH_INFO", ["str", ""])[1]
    if not got.endswith(("/\xe2\x82\xac\xff", "%E2%82%AC%FF")):  # that it is decoded, says S25
        raise Broken(f"the path %E2%82%AC%FF becomes {got!r} in PATH_INFO")
    response = probe.client.get(probe.target("variables"), b"X-Octets: caf\xe9 \xe2\x82\xac \xff")
    if response.status == 400:
        return "in the path; a field with such octets is refused"
    field = environ_of(response).get("HTTP_X_OCTETS")
    if field is None:
        raise Broken("a field with octets above 0x7F is not in the environ")
    _must_be_latin("HTTP_X_OCTETS", field[1])
    if field[1] != "caf\xe9 \xe2\x82\xac \xff":
        raise Broken(f"the field b'caf\\xe9 \\xe2\\x82\\xac \\xff' becomes {field[1]!r}")
    return None


@trial("S86")
def no_code_points_above_255(probe: Probe) -> str | None:
    """Every string in the environ of a request that has octets of all kinds."""
    path = f"/variables/%E2%82%AC%FF?tag={probe.tag}&euro=%E2%82%AC"
    for name, (kind, text, *_) in variables(probe, target=path).items():
        if kind == "str":
            _must_be_latin(name, text)
    return None


@trial("S10")
def required_variables(probe: Probe) -> str | None:
    """The names that PEP 3333 requires."""
    missing = _REQUIRED - variables(probe).keys()
    if missing:
        raise Broken(f"the environ lacks {', '.join(sorted(missing))}")
    return None


@trial("S11")
def names_of_extensions(probe: Probe) -> str | None:
    """Names that are neither of CGI nor of fields nor of the process's environment."""
    odd = {
        name
        for name, (_, _, is_of_process) in variables(probe).items()
        if "." not in name
        and name not in _CUSTOMARY
        and not name.startswith(("HTTP_", "SSL_"))
        and not is_of_process
    }
    if odd:
        raise Broken(f"variables of the server's own without a prefix: {', '.join(sorted(odd))}")
    return None


@trial("S48")
def form_of_extensions(probe: Probe) -> str | None:
    """Names with a dot."""
    names = [name for name, value in variables(probe).items() if "." in name and not value[2]]
    form = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)+")
    odd = [name for name in names if not form.fullmatch(name)]
    if odd:
        raise Broken(f"names of the server's own variables: {', '.join(sorted(odd))}")
    own = sorted(name for name in names if name not in _WSGI)
    return f"of its own it has {', '.join(own)}" if own else "it has none of its own"


# --- The request line -------------------------------------------------------------------------


@trial("S23")
def the_method(probe: Probe) -> str | None:
    """Methods that are known, and one that is not."""
    for method in ("GET", "POST", "PUT", "DELETE", "OPTIONS", "REPORT", "get"):
        data = probe.client.head(method, probe.target("variables"), b"Content-Length: 0")
        response = probe.client.ask(data)
        if response.status in (400, 405, 501) and method not in ("GET", "POST"):
            continue  # the server does not serve it
        seen = environ_of(response).get("REQUEST_METHOD")
        if seen is None or seen[:2] != ["str", method]:
            raise Broken(f"the method {method} becomes {show(seen)}")
    return None


@trial("S24")
def the_script_name(probe: Probe) -> str | None:
    """SCRIPT_NAME and PATH_INFO together are the path."""
    for path in ("/environ", "/environ/", "/environ/cups/and%20saucers"):
        seen = variables(probe, target=path.replace("environ", "variables"))
        script, info = text_of(seen, "SCRIPT_NAME"), text_of(seen, "PATH_INFO")
        if script and not script.startswith("/"):
            raise Broken(f"SCRIPT_NAME is {script!r}, without a slash in front")
        if script.endswith("/"):
            raise Broken(f"SCRIPT_NAME is {script!r}, with a slash at its end")
        sent = path.replace("environ", "variables")
        if (script + info).replace("%20", " ") != sent.replace("%20", " "):
            raise Broken(f"the path {sent} becomes SCRIPT_NAME {script!r} and PATH_INFO {info!r}")
    return None


@trial("S25")
def the_path(probe: Probe) -> str | None:
    """Paths with escapes of several kinds."""
    for sent, wanted in (
        ("", ""),
        ("/", "/"),
        ("/a%20b", "/a b"),
        ("/caf%C3%A9", "/caf\xc3\xa9"),
        ("/%e9", "/\xe9"),
        ("/50%25", "/50%"),
        ("/%2541", "/%41"),
        ("/a+b;c=d", "/a+b;c=d"),
    ):
        seen = variables(probe, target=f"/variables{sent}")
        got = text_of(seen, "SCRIPT_NAME") + text_of(seen, "PATH_INFO")
        if got != f"/variables{wanted}":
            raise Broken(
                f"the path /variables{sent} becomes {got!r}, not {'/variables' + wanted!r}"
            )
    return None


@trial("S26")
def the_query(probe: Probe) -> str | None:
    """Targets with and without a query."""
    for sent, wanted in (
        ("", ""),
        ("?", ""),
        ("?a=%20%2F&b=c+d", "a=%20%2F&b=c+d"),
        ("?a=1?b=2", "a=1?b=2"),
        ("?%C3%A9", "%C3%A9"),
    ):
        got = text_of(variables(probe, target=f"/variables{sent}"), "QUERY_STRING")
        if got != wanted:
            raise Broken(f"of the target /variables{sent}, QUERY_STRING becomes {got!r}")
    return None


@trial("S30")
def the_protocol(probe: Probe) -> str | None:
    """Requests in HTTP/1.0 and HTTP/1.1."""
    for version in ("1.1", "1.0"):
        data = probe.client.head("GET", probe.target("variables"), version=version)
        response = probe.client.ask(data)
        if response.status == 505:
            continue
        seen = environ_of(response).get("SERVER_PROTOCOL")
        if seen is None or seen[:2] != ["str", f"HTTP/{version}"]:
            raise Broken(f"in a request of HTTP/{version}, SERVER_PROTOCOL is {show(seen)}")
    return None


# --- Fields -----------------------------------------------------------------------------------


@trial("S27")
def the_content_type(probe: Probe) -> str | None:
    """Requests with the field and without it."""
    for method, lines, wanted in (
        ("POST", (b"Content-Type: text/x-cup; size=2",), "text/x-cup; size=2"),
        ("POST", (), ""),
        ("GET", (), ""),
    ):
        length = (b"Content-Length: 0",) if method == "POST" else ()
        data = probe.client.head(method, probe.target("variables"), *lines, *length)
        got = text_of(variables(probe, data), "CONTENT_TYPE")
        if got != wanted:
            sent = f"with {lines[0].decode()}" if lines else "without Content-Type"
            raise Broken(f"in a {method} {sent}, CONTENT_TYPE is {got!r}")
    return None


@trial("S28")
def the_content_length(probe: Probe) -> str | None:
    """Requests with content and without, and with content in chunks."""
    head = probe.client.head
    request = probe.target("variables")
    got = text_of(variables(probe, head("GET", request)), "CONTENT_LENGTH")
    if got not in ("", "0"):
        raise Broken(f"in a request without content, CONTENT_LENGTH is {got!r}")
    data = head("POST", request, b"Content-Length: 11") + b"name=quaich"
    got = text_of(variables(probe, data), "CONTENT_LENGTH")
    if got != "11":
        raise Broken(f"in a request with Content-Length: 11, CONTENT_LENGTH is {got!r}")
    chunked = head("POST", request, b"Transfer-Encoding: chunked") + b"3\r\nabc\r\n0\r\n\r\n"
    response = probe.client.ask(chunked)
    if response.status == 200:
        got = text_of(environ_of(response), "CONTENT_LENGTH")
        if got not in ("", "3"):
            raise Broken(f"in a request of three bytes in chunks, CONTENT_LENGTH is {got!r}")
    return None


@trial("S31")
def the_fields(probe: Probe) -> str | None:
    """The fields that were sent, and no others."""
    sent = {"X-Cup": "two handles", "Accept": "text/*", "X-Number-9": "9", "Cookie": "a=b"}
    lines = [f"{name}: {value}".encode() for name, value in sent.items()]
    seen = variables(probe, probe.client.head("GET", probe.target("variables"), *lines))
    names = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in sent.items()}
    for name, value in names.items():
        if name not in seen:
            raise Broken(f"a field of the request is missing: {name}")
        if seen[name][1] != value:
            raise Broken(f"{name} is {seen[name][1]!r}, not {value!r}")
    more = {name for name in seen if name.startswith("HTTP_")} - names.keys() - {"HTTP_HOST"}
    if more:
        process = " (of the process's environment)" if any(seen[name][2] for name in more) else ""
        raise Broken(f"there is no field to {', '.join(sorted(more))}{process}")
    return None


# --- Server and client ------------------------------------------------------------------------


@trial("S29")
def the_server_is_named(probe: Probe) -> str | None:
    """SERVER_NAME and SERVER_PORT, with Host and without."""
    bare = f"GET {probe.target('variables')} HTTP/1.0\r\n\r\n".encode()
    for what, data in (("with Host", None), ("without Host", bare)):
        response = probe.client.ask(data or probe.client.head("GET", probe.target("variables")))
        if response.status == 400 and data:
            continue
        seen = environ_of(response)
        for name in ("SERVER_NAME", "SERVER_PORT"):
            value = seen.get(name)
            if value is None or value[0] != "str" or not value[1]:
                raise Broken(f"{what}, {name} is {show(value)}")
    return f"{text_of(seen, 'SERVER_NAME')} and {text_of(seen, 'SERVER_PORT')}"


@trial("S32")
def other_variables_of_cgi(probe: Probe) -> str | None:
    """Three that apply to any server on TCP."""
    seen = variables(probe)
    names = ("REMOTE_ADDR", "GATEWAY_INTERFACE", "SERVER_SOFTWARE")
    missing = [name for name in names if not text_of(seen, name)]
    if missing:
        raise Broken(f"the environ lacks {', '.join(missing)}")
    got = text_of(seen, "REMOTE_ADDR")
    try:
        address = ipaddress.ip_address(got)
    except ValueError:
        raise Broken(f"REMOTE_ADDR is {got!r}, which is no address") from None
    if probe.client.host in ("127.0.0.1", "::1", "localhost"):
        mapped = getattr(address, "ipv4_mapped", None)
        if not (address.is_loopback or (mapped and mapped.is_loopback)):
            raise Broken(f"REMOTE_ADDR is {got!r}, and the client is on the same machine")
    return None


@trial("S33")
def variables_of_tls(probe: Probe) -> str | None:
    """Nothing that can be seen without TLS."""
    raise Untestable("the probe connects without TLS")


@trial("S35")
def what_does_not_apply_is_left_out(probe: Probe) -> str | None:
    """Variables that are absent, or have a value."""
    seen = variables(probe)
    names = ("REMOTE_USER", "REMOTE_HOST", "REMOTE_IDENT", "AUTH_TYPE")
    empty = [name for name in names if name in seen and not seen[name][1]]
    if empty:
        raise Broken(f"there, but empty: {', '.join(empty)}")
    return None


@trial("S36")
def variables_of_cgi_are_str(probe: Probe) -> str | None:
    """The exact type of every variable without a dot, with content and without."""
    target = probe.target("variables")
    post = probe.client.head("POST", target, b"Content-Length: 3", b"Content-Type: a/b") + b"cup"
    for data in (None, post):
        for name, (kind, text, *_) in variables(probe, data).items():
            if "." not in name and kind != "str":
                raise Broken(f"{name} is {text} of type {kind}")
    return None


def _must_be_latin(name: str, text: str) -> None:
    if any(ord(letter) > 0xFF for letter in text):
        raise Broken(f"{name} has code points above U+00FF: {shorten(text)}")
