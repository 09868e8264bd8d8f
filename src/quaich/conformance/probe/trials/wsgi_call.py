"""How a server calls the application, and what it does with the result: S01 to S22, S106, S107."""

import json
from typing import Any, Final
from urllib.parse import urlsplit

from quaich.conformance.probe.judging import Broken, Probe, Untestable, describe, trial
from quaich.conformance.probe.launching import CannotStart
from quaich.conformance.probe.trials.steps import (
    START,
    Step,
    anew,
    must_be,
    must_come_before,
    must_happen_once,
    notes,
    played,
    raised,
    start,
    target,
)
from quaich.conformance.probe.wire import NOTHING

HELLO: Final = b"Hello, probe!\n"


_KINDS: Final = ("instance", "bound method", "class", "partial")


@trial("S01")
def a_callable_of_any_kind(probe: Probe) -> str | None:
    """The server is started anew for each kind; of which kind it is, the application tells."""
    kind = _call(probe)["callable"]
    if probe.start is None:
        if kind == "function":
            raise Untestable(
                "the application that is served is a function, and the server cannot be started"
                " here; set WSGI_PROBE_CALLABLE to instance, bound method, class or partial in its"
                " environment to try others"
            )
        return f"the application that is served is of this kind: {kind}"
    try:
        for kind in _KINDS:
            try:
                probe.client = probe.start(kind)
            except CannotStart as error:
                reason = str(error).splitlines()[0]
                raise Broken(f"an application of the kind {kind} is not served: {reason}") from None
            response = probe.client.get(probe.target("hello"))
            must_be(response, HELLO, f"an application of the kind {kind}")
            if _call(probe)["callable"] != kind:
                raise Untestable(f"the server does not take an application of the kind {kind}")
    finally:
        probe.client = probe.start("function")
    return f"it was started with a function and with these: {', '.join(_KINDS)}"


@trial("S05")
def any_number_of_calls(probe: Probe) -> str | None:
    """Several requests, on one connection and on several."""
    request = probe.client.head("GET", probe.target("hello"))
    again = 0
    for number in range(3):
        with probe.client.connect() as connection:
            connection.send(request)
            first = connection.response()
            must_be(first, HELLO, f"request {number + 1} of several connections")
            if number or first.closes or first.version == b"HTTP/1.0":
                continue
            for _ in range(2):
                connection.send(request)
                response = connection.response()
                if not response and connection.ended:
                    break  # not a matter of this rule
                must_be(response, HELLO, "a request on the same connection")
                again += 1
    return f"three connections answered, and {again} more requests on the first"


@trial("S06")
def one_call_for_a_request(probe: Probe) -> str | None:
    """Calls are counted, those that fail as well."""
    for what, blocks, call in (
        ("a request", (b"block",), (START,)),
        ("a request whose call raises", (), (("fail", ""),)),
        ("a request whose iteration raises", (("fail", ""),), (START,)),
    ):
        anew(probe)
        played(probe, *blocks, call=call)
        count = len(notes(probe, "called", wanted="called"))
        if count != 1:
            raise Broken(f"for {what}, the application is called {count} times")
    return None


@trial("S07")
def two_positional_arguments(probe: Probe) -> str | None:
    """The application takes any arguments and tells which have come."""
    count, keywords = _call(probe)["arguments"]
    if keywords:
        raise Broken(f"the application is called with keywords: {', '.join(keywords)}")
    if count != 2:
        raise Broken(f"the application is called with {count} positional arguments")
    return None


@trial("S08")
def the_environ_is_a_dict(probe: Probe) -> str | None:
    """The exact type of the environ."""
    kind = probe.environ()[""][0]
    if kind != "dict":
        raise Broken(f"the environ is of type {kind}")
    return None


@trial("S09")
def the_environ_may_be_changed(probe: Probe) -> str | None:
    """One application empties the environ, another fills it with nonsense."""
    for poison in (0, 1):
        what = "filled with nonsense" if poison else "emptied"
        spoil = probe.client.head("GET", probe.target("spoil", poison=poison))
        after = probe.client.head("GET", probe.target("environ"))
        with probe.client.connect() as connection:
            connection.send(spoil)
            must_be(connection.response(), b"spoilt", f"a response whose environ was {what}")
            connection.send(after)
            same = connection.response()
        for response in (same or NOTHING, probe.client.ask(after)):
            if response.status != 200:
                if response is same or not response:
                    continue
                raise Broken(
                    f"after an environ was {what}, the next request is answered with "
                    f"{describe(response)}"
                )
            seen = json.loads(response.content)
            if "HTTP_X_SPOILT" in seen or seen.get("REQUEST_METHOD") != ["str", "GET"]:
                raise Broken(f"the environ that one request has {what} is that of another")
        if not probe.is_alive():
            raise Broken(f"after an environ was {what}, the server answers nothing more")
    return None


@trial("S12")
def two_or_three_arguments(probe: Probe) -> str | None:
    """start_response is called with two arguments, and with three."""
    for what, step in (
        ("two arguments", start()),
        ("None as the third argument", start(exc=None)),
        ("exc_info as the third argument", start(exc="raised")),
    ):
        anew(probe)
        response = played(probe, b"block", call=(step,))
        for event in notes(probe, "start", wanted="start"):
            if event["raised"] is not None:
                raise Broken(f"start_response with {what}: {raised(event)}")
        must_be(response, b"block", f"the block after start_response with {what}")
    return None


@trial("S13")
def start_response_returns_write(probe: Probe) -> str | None:
    """What start_response returns is called with one block."""
    call: tuple[Step, ...] = (START, ("write", b"written"))
    response = played(probe, call=call)
    events = notes(probe, "start", "write", wanted="write")
    if events and events[0]["event"] == "start" and not events[0].get("callable"):
        raise Broken("start_response returns nothing that can be called: there is no write()")
    if len(events) > 1 and events[1]["raised"] is not None:
        raise Broken(f"write() of a block: {raised(events[1])}")
    must_be(response, b"written", "what was given to write()")
    return None


@trial("S14")
def each_block_before_the_next(probe: Probe) -> str | None:
    """The application sleeps between its blocks; the first has to arrive before that is over."""
    for result in ("iterable", "iterator"):
        request = target(probe, b"first\n", ("sleep", 1.0), b"second\n", result=result)
        must_come_before(probe, request, b"first\n", b"second\n", f"blocks of an {result}")
    return None


@trial("S15")
def bytes_go_out_unchanged(probe: Probe) -> str | None:
    """All octets, and line ends of all kinds."""
    octets = bytes(range(256))
    must_be(played(probe, ("octets",), ("octets",)), octets * 2, "all octets")
    lines = b"a\r\nb\nc\rd\n\re\r\r\n\n"
    must_be(played(probe, lines, lines), lines * 2, "ends of lines")
    return None


@trial("S18")
def close_is_called_once(probe: Probe) -> str | None:
    """Results of several kinds, with errors, with HEAD, and with a client that leaves."""
    block = b"block"
    for what, blocks, result, method in (
        ("an iterable", (block, block), "iterable", "GET"),
        ("an iterator", (block, block), "iterator", "GET"),
        ("a list", (block, block), "list", "GET"),
        ("a list of one block", (block,), "list", "GET"),
        ("an iterable without blocks", (), "iterable", "GET"),
        ("an iterable, asked for with HEAD", (block, block), "iterable", "HEAD"),
        ("an iterable whose first block raises", (("fail", ""),), "iterable", "GET"),
        ("an iterable whose second block raises", (block, ("fail", "")), "iterable", "GET"),
    ):
        anew(probe)
        played(probe, *blocks, result=result, method=method)
        _must_be_closed(probe, what)
    anew(probe)
    many = ("times", 200, ("zeros", 65536), ("sleep", 0.01))
    with probe.client.connect() as connection:
        connection.send(probe.client.head("GET", target(probe, many)))
        if b" 200 " not in connection.read_some()[:20]:
            raise Broken("an iterable of many blocks is not answered with 200")
        connection.reset()
    _must_be_closed(probe, "an iterable whose client leaves")
    return "called once for each of nine results"


def _must_be_closed(probe: Probe, what: str) -> None:
    notes(probe, wanted="called")
    must_happen_once(probe, "closed", f"close() of {what}")


@trial("S19")
def close_of_the_result(probe: Probe) -> str | None:
    """The result's iterator is another object, which has a close() too."""
    played(probe, b"one", b"two", result="other iterator")
    events = [each["event"] for each in notes(probe, "closed", "iterator closed", wanted="closed")]
    if "closed" not in events:
        called = "that of its iterator instead" if events else "nor that of its iterator"
        raise Broken(f"close() of the result is not called, {called}")
    return None


@trial("S21")
def start_response_in_the_first_step(probe: Probe) -> str | None:
    """start_response is called when the iteration begins."""
    for result in ("generator", "iterator", "iterable"):
        step = start("202 Late", ("X-Late", "yes"))
        response = played(probe, step, b"block", call=(), result=result)
        what = f"the block of a {result} that calls start_response in its first step"
        must_be(response, b"block", what, 202)
        if response.value("x-late") != b"yes":
            raise Broken(f"{what}: the response lacks the headers")
    return None


@trial("S22")
def nothing_but_iteration_and_close(probe: Probe) -> str | None:
    """The result notes which attributes it is asked for."""
    response = played(probe, b"one", b"two", result="watched")
    must_be(response, b"onetwo", "the blocks of a result that notes what is asked for")
    # isinstance() asks for __class__ to see whether the result is of the server's own type.
    allowed = {"__iter__", "__next__", "__len__", "__class__", "close"}
    asked = {each["name"] for each in notes(probe, "attribute", wanted="attribute")} - allowed
    if asked:
        raise Broken(f"the result is asked for {', '.join(sorted(asked))}")
    return None


@trial("S106")
def the_url_of_the_request(probe: Probe) -> str | None:
    """The application puts the URL together by PEP 3333's algorithm, from several targets."""
    client = probe.client
    own = client.authority.decode()
    for target_path in (
        f"/url?tag={probe.tag}",
        "/url",
        "/url/a%20b",
        "/url/caf%C3%A9%25?a=b%20c&d",
    ):
        for host in (own, "cups.example:8123"):
            response = client.get(target_path, b"Host: " + host.encode(), b"Connection: close")
            if response.status in (301, 302, 307, 308, 403, 404, 421) and host != own:
                continue  # it serves its own host only
            probe.need_application()
            must_be(response, f"http://{host}{target_path}".encode(), f"the URL of {target_path}")
    response = client.ask(b"GET /url/a%20b HTTP/1.0\r\n\r\n")
    if response.status == 400:
        return "requests without Host are refused"
    if response.status != 200:
        raise Broken(f"a request of HTTP/1.0 without Host is answered with {describe(response)}")
    text = response.content.decode("latin-1")
    try:
        url = urlsplit(text)
        port = url.port or 80
        is_sound = url.hostname and url.scheme == "http" and url.path == "/url/a%20b"
    except ValueError:
        is_sound, port = False, 0
    if not is_sound:
        raise Broken(f"without Host, the URL of /url/a%20b becomes {text}")
    if port != client.port:
        raise Broken(f"without Host, a request to port {client.port} gets the URL {text}")
    return f"without Host, the URL is {text}"


@trial("S107")
def a_sequence_of_the_old_kind(probe: Probe) -> str | None:
    """The result has __getitem__ and nothing else."""
    response = played(probe, b"one", b"two", result="indexed")
    must_be(response, b"onetwo", "the content of a result that has nothing but __getitem__")
    return None


def _call(probe: Probe) -> dict[str, Any]:
    """How the application was called."""
    response = probe.client.get(probe.target("call"))
    if response.status != 200:
        raise Broken(f"the request is answered with {describe(response)}")
    return dict(json.loads(response.content))
