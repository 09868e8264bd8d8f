"""wsgi.file_wrapper: S109 to S118."""

from quaich.conformance.probe.judging import Broken, Probe, Untestable, describe, trial
from quaich.conformance.probe.trials.asking import variables
from quaich.conformance.probe.trials.steps import anew, must_be, must_happen_once
from quaich.conformance.probe.wire import Response

_SIZE = 20000


def _content(size: int = _SIZE) -> bytes:
    return bytes(97 + number % 26 for number in range(size))


@trial("S109")
def the_wrapper_is_called(probe: Probe) -> str | None:
    """The wrapper is called with a file, and with a block size too."""
    _need_wrapper(probe)
    for what, block in (("a file", "none"), ("a file and a block size", "1000")):
        response = _wrapped(probe, kind="bytes", block=block)
        must_be(response, _content(), f"the content of wsgi.file_wrapper, called with {what},")
    return None


@trial("S110")
def the_wrapper_is_an_iterable(probe: Probe) -> str | None:
    """The application iterates itself over wrappers of files of all kinds."""
    _need_wrapper(probe)
    for kind in ("bytes", "reader", "file"):
        response = _wrapped(probe, kind=kind, use="iterate")
        must_be(response, _content(), f"what iteration over the wrapper of a {kind} gives")
    return None


@trial("S111")
def the_wrapper_sends_nothing_itself(probe: Probe) -> str | None:
    """The application makes a wrapper and returns other blocks."""
    _need_wrapper(probe)
    for kind in ("file", "bytes"):
        response = _wrapped(probe, kind=kind, use="discard")
        must_be(response, b"other blocks", "a response whose application threw its wrapper away")
    return None


@trial("S112")
def the_wrapper_closes_the_file(probe: Probe) -> str | None:
    """The application calls close() of the wrapper."""
    _need_wrapper(probe)
    for kind in ("noted bytes", "noted file"):
        anew(probe)
        response = _wrapped(probe, kind=kind, use="close")
        failed = "" if response.status == 200 else f" (the answer is {describe(response)})"
        what = f"close() of the file, by that of the wrapper{failed},"
        must_happen_once(probe, "file closed", what)
    return None


@trial("S114")
def only_the_wrapper_itself_is_sent_as_a_file(probe: Probe) -> str | None:
    """A middleware changes the blocks of the wrapper."""
    _need_wrapper(probe)
    for kind in ("file", "bytes"):
        response = _wrapped(probe, kind=kind, use="change")
        must_be(response, _content().upper(), f"the wrapper of a {kind}, changed by a middleware,")
    return None


@trial("S115")
def from_where_the_file_stands(probe: Probe) -> str | None:
    """Files that stand in the middle, and lengths below the file's size."""
    _need_wrapper(probe)
    content = _content()
    for kind in ("file", "bytes"):
        response = _wrapped(probe, kind=kind, at=1001)
        must_be(response, content[1001:], f"a {kind} that stands at 1001")
        response = _wrapped(probe, kind=kind, at=1001, length=5000)
        what = f"a {kind} that stands at 1001, with a Content-Length of 5000"
        must_be(response, content[1001:6001], what)
    return None


@trial("S117")
def any_file_that_can_be_read(probe: Probe) -> str | None:
    """Files that the system cannot send."""
    _need_wrapper(probe)
    for kind in ("bytes", "reader", "pipe"):
        must_be(_wrapped(probe, kind=kind), _content(), f"the wrapper of a {kind}")
    return None


@trial("S118")
def the_wrapper_is_closed_at_the_end(probe: Probe) -> str | None:
    """Files that are sent, asked for with HEAD, and not read by a client that leaves."""
    _need_wrapper(probe)
    for kind in ("noted file", "noted bytes"):
        for method in ("GET", "HEAD"):
            anew(probe)
            _wrapped(probe, method, kind=kind)
            _must_be_closed(probe, f"a {kind.split()[1]} asked for with {method}")
    anew(probe)
    with probe.client.connect() as connection:
        request = probe.target("wrap", kind="noted%20file", size=_SIZE, zeros=64 << 20)
        connection.send(probe.client.head("GET", request))
        if not connection.read_some():
            raise Broken("a large file is not sent")
        connection.reset()
    _must_be_closed(probe, "a file whose client leaves")
    return None


def _need_wrapper(probe: Probe) -> None:
    if "wsgi.file_wrapper" not in variables(probe):
        raise Untestable("the server has no wsgi.file_wrapper, and need not have one (S108)")


def _wrapped(probe: Probe, method: str = "GET", **query: object) -> Response:
    """The response of a file in a wrapper."""
    values = {name: str(value).replace(" ", "%20") for name, value in query.items()}
    request = probe.target("wrap", size=_SIZE, **values)
    with probe.client.connect() as connection:
        connection.send(probe.client.head(method, request, b"Connection: close"))
        connection.unread(connection.read_some())
        return connection.response(method, 1.0)


def _must_be_closed(probe: Probe, what: str) -> None:
    must_happen_once(probe, "file closed", f"the wrapper of {what}: close() of the file")
