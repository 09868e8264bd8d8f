"""Whether a peer is one of our own proxies, and what the environ is then: as if the client had
asked us itself.

    Forwarding.rewriter     for a peer: what is done with each environ
      _believe                the fields are believed: scheme, host, port, prefix and address agree
      _disbelieve             they are taken out, so that no application believes them
    mounted                 an application under a path of its own (``root_path``)
"""

import ipaddress
from collections.abc import Callable, Iterable
from typing import Any, Final

from quaich.exchange.log import SafeLogger
from quaich.protocol.forwarded import (
    Node,
    check_port,
    check_prefix,
    check_scheme,
    last_elements,
    last_entries,
    nth_from_the_end,
    parse_forwarded,
    parse_node,
    split_authority,
)
from quaich.protocol.memo import ENTRY_MAX, remember
from quaich.protocol.request import decode_path
from quaich.protocol.variables import BY_PROXIES
from quaich.types import StartResponse, WSGIApplication, WSGIEnvironment

logger = SafeLogger("quaich.error")

FORWARDED: Final = (
    "HTTP_X_FORWARDED_FOR",
    "HTTP_X_FORWARDED_PROTO",
    "HTTP_X_FORWARDED_HOST",
    "HTTP_X_FORWARDED_PORT",
    "HTTP_X_FORWARDED_PREFIX",
    "HTTP_FORWARDED",
)
"""The variables of the fields that tell of a client; what they say is put into the other
variables."""

SAID_BY_PROXIES: Final = (
    *FORWARDED,
    *sorted({f"HTTP_{name}" for name in BY_PROXIES}.difference(FORWARDED)),
)
"""The variables of all fields that only a proxy may set. A request without any needs no
rewriting."""

# What decides what a proxy that is believed makes of an environ.
_DECIDE: Final = (*FORWARDED, "HTTP_HOST", "wsgi.url_scheme")

_Said = tuple[str | None, ...]  # the values of those
_Rewriting = tuple[dict[str, str], tuple[str, ...]]  # variables to be set, and to be removed

_DEFAULT_PORTS: Final = {"http": "80", "https": "443"}

Rewriter = Callable[[WSGIEnvironment], None]
"""Rewrites an environ that has one of :data:`SAID_BY_PROXIES` at least. Raises ProtocolError."""


class Forwarding:
    """Which peers are believed, and what of their words.

    ``allowed``: IP addresses, networks, or ``*``; ``fields``: names in lower case; ``count``: how
    many proxies of our own each request goes through.
    """

    def __init__(self, allowed: Iterable[str], fields: Iterable[str], count: int) -> None:
        allowed = [*allowed]
        self._all = "*" in allowed
        self._networks = [
            ipaddress.ip_network(each, strict=False) for each in allowed if each != "*"
        ]
        self._believed = {f"HTTP_{name.upper().replace('-', '_')}" for name in fields}
        self._others = [
            each for each in SAID_BY_PROXIES if each not in FORWARDED and each not in self._believed
        ]
        self._count = count
        self._told: set[str] = set()
        self._known: dict[_Said, _Rewriting] = {}

    def rewriter(self, peer: Any) -> Rewriter:
        """What is done with the requests of a connection of such a peer."""
        return self._believe if self.believes(peer) else self._disbelieve

    def believes(self, peer: Any) -> bool:
        """Whether a peer is a proxy of our own. It is as ``accept()`` gives it; one on a Unix
        socket is on this machine, and is believed. None: nobody knows where it is."""
        if self._all:
            return True
        if not isinstance(peer, tuple):
            return peer is not None
        try:
            address = ipaddress.ip_address(str(peer[0]).partition("%")[0])
        except ValueError:
            return False
        # The operator may write it in either way.
        either = (address, getattr(address, "ipv4_mapped", None) or address)
        return any(each in network for network in self._networks for each in either)

    def _disbelieve(self, environ: WSGIEnvironment) -> None:
        for name in SAID_BY_PROXIES:
            if environ.pop(name, None) is not None:
                self._tell(name, environ, "--forwarded-allow-ips names the proxies that are")

    def _tell(self, name: str, environ: WSGIEnvironment, hint: str) -> None:
        """Once for each field: whoever misses it in an application is to find out why."""
        if name not in self._told:
            self._told.add(name)
            field = name.removeprefix("HTTP_").replace("_", "-").title()
            peer = environ.get("REMOTE_ADDR", "a local client")
            logger.info("%s from %s is not believed and was taken out; %s", field, peer, hint)

    def _believe(self, environ: WSGIEnvironment) -> None:
        # A proxy says the same of a client's requests, again and again.
        said = (*map(environ.get, _DECIDE),)
        known = self._known.get(said)
        if known is None:
            known = self._learn(said, environ)
        changed, removed = known
        environ.update(changed)
        for name in removed:
            environ.pop(name, None)
        if not environ.keys().isdisjoint(self._others):
            for name in self._others:
                if environ.pop(name, None) is not None:
                    self._tell(name, environ, "--forwarded-headers names the fields that are")

    def _learn(self, said: _Said, environ: WSGIEnvironment) -> _Rewriting:
        for name in FORWARDED:
            if name in environ and name not in self._believed:
                self._tell(name, environ, "--forwarded-headers names the fields that are")
        before: WSGIEnvironment = {
            name: value for name, value in zip(_DECIDE, said, strict=True) if value is not None
        }
        after = {
            name: value
            for name, value in before.items()
            if name not in FORWARDED or name in self._believed
        }
        for each in (before, after):
            each["REMOTE_ADDR"] = each["REMOTE_PORT"] = each["HTTPS"] = ""  # there, or not any more
        # RFC 7239 was made to take the place of the others: where it is believed and there, it
        # counts alone.
        forwarded = after.get("HTTP_FORWARDED")
        facts = self._forwarded(forwarded) if forwarded else self._x_forwarded(after)
        self._cut(after)
        _rewrite(after, **facts)
        changed = {name: value for name, value in after.items() if before.get(name) != value}
        known = changed, tuple(before.keys() - after.keys())
        if sum(len(value) for value in said if value is not None) <= ENTRY_MAX:
            remember(self._known, said, known)
        return known

    def _cut(self, variables: WSGIEnvironment) -> None:
        """Leave of the fields what our own proxies have said. What stands before may be the
        client's own, and applications are used to believe the first entry."""
        forwarded = variables.get("HTTP_FORWARDED")
        for name in FORWARDED:
            value = variables.get(name)
            if not value:
                continue
            if name == "HTTP_FORWARDED":
                variables[name] = last_elements(value, self._count)
            elif forwarded:
                del variables[name]  # it did not count
            else:
                variables[name] = last_entries(value, self._count)

    def _forwarded(self, value: str) -> dict[str, str | None]:
        elements = parse_forwarded(value) or [{}]
        element = elements[-self._count] if self._count <= len(elements) else elements[0]
        return {
            "node": element.get("for"),
            "scheme": element.get("proto"),
            "host": element.get("host"),
        }

    def _x_forwarded(self, environ: WSGIEnvironment) -> dict[str, str | None]:
        names = {
            "node": "FOR",
            "scheme": "PROTO",
            "host": "HOST",
            "port": "PORT",
            "prefix": "PREFIX",
        }
        facts: dict[str, str | None] = {}
        for fact, name in names.items():
            value = environ.get(f"HTTP_X_FORWARDED_{name}")
            # An empty field says nothing: nginx sends one where a variable is not set.
            facts[fact] = nth_from_the_end(value, self._count) if value else None
        return facts


def _rewrite(
    environ: WSGIEnvironment,
    node: str | None = None,
    scheme: str | None = None,
    host: str | None = None,
    port: str | None = None,
    prefix: str | None = None,
) -> None:
    """Make the variables agree with what is known of the client's request. Everything is checked
    before anything is changed."""
    client = parse_node(node) if node else None
    scheme = check_scheme(scheme) if scheme else None
    name, host_port = split_authority(host) if host else ("", "")
    port = check_port(port) if port else None
    prefix = check_prefix(prefix) if prefix else None
    if client is not None:
        _set_client(environ, client)
    if scheme is not None:
        environ["wsgi.url_scheme"] = scheme
        if scheme == "https":
            environ["HTTPS"] = "on"
        else:
            environ.pop("HTTPS", None)
    if host or scheme is not None or port is not None:
        # Host as the proxy has passed it on may have the port by which the client came.
        authority = host or environ.get("HTTP_HOST", "")
        if not host and authority:
            name, host_port = split_authority(authority)
        is_told = bool(host) or port is not None
        port = port or host_port or _DEFAULT_PORTS[environ["wsgi.url_scheme"]]
        environ["SERVER_PORT"] = port
        if host:
            environ["SERVER_NAME"] = name.removeprefix("[").removesuffix("]")
        if is_told and name:  # URLs are made of it, and not of SERVER_PORT
            is_default = port == _DEFAULT_PORTS[environ["wsgi.url_scheme"]]
            environ["HTTP_HOST"] = name if is_default else f"{name}:{port}"
    if prefix is not None:
        environ["SCRIPT_NAME"] = decode_path(prefix)


def _set_client(environ: WSGIEnvironment, client: Node) -> None:
    for variable, value in (("REMOTE_ADDR", client.host), ("REMOTE_PORT", client.port)):
        if value:
            environ[variable] = value
        else:
            environ.pop(variable, None)  # S35: absent, where it is not known


def mounted(application: WSGIApplication, root_path: str) -> WSGIApplication:
    """The application, under a path: that is its SCRIPT_NAME, and no part of PATH_INFO (S30).

    A path that does not begin with it is left as it is: a proxy may have taken it away already.
    A prefix that a proxy has told counts instead.
    """
    # Bytes as latin-1, as PATH_INFO has it.
    root = f"/{root_path.strip('/')}".encode("utf-8", "surrogateescape").decode("latin-1")
    if root == "/":
        return application

    def with_root(environ: WSGIEnvironment, start_response: StartResponse) -> Any:
        path = environ["PATH_INFO"]
        if not environ["SCRIPT_NAME"]:
            environ["SCRIPT_NAME"] = root
            if path == root or path.startswith(f"{root}/"):
                environ["PATH_INFO"] = path[len(root) :]
        return application(environ, start_response)

    return with_root
