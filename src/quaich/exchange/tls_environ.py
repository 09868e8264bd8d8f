"""What the environ says of a connection with TLS.

The names are those of Apache's mod_ssl, which cheroot and others have taken over. No field of a
request can set them: its variables begin with ``HTTP_``.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from quaich.types import WSGIEnvironment

# RFC 4514, section 3, and those that mod_ssl knows besides.
_SHORT: Final = {
    "commonName": "CN",
    "countryName": "C",
    "domainComponent": "DC",
    "emailAddress": "emailAddress",
    "givenName": "GN",
    "localityName": "L",
    "organizationName": "O",
    "organizationalUnitName": "OU",
    "stateOrProvinceName": "ST",
    "streetAddress": "STREET",
    "surname": "SN",
    "title": "T",
    "userId": "UID",
}

_SAN: Final = {"DNS": "DNS", "email": "Email"}


class Session(NamedTuple):
    """What is known of a connection's TLS, with the words of the module ssl.

    ``cipher``: name, protocol and secret bits. ``host``: what the client asked for (SNI).
    ``client``: its certificate, if it has one that was verified, as ``getpeercert()`` gives it,
    ``client_pem`` the same in PEM.
    """

    protocol: str
    cipher: tuple[str, str, int]
    is_resumed: bool
    host: str | None = None
    client: Mapping[str, Any] | None = None
    client_pem: str = ""


def tls_variables(session: Session) -> WSGIEnvironment:
    """The variables of a connection."""
    name, _, bits = session.cipher
    variables: WSGIEnvironment = {
        "HTTPS": "on",
        "SSL_PROTOCOL": session.protocol,
        "SSL_CIPHER": name,
        "SSL_CIPHER_USEKEYSIZE": str(bits),
        "SSL_SESSION_RESUMED": "Resumed" if session.is_resumed else "Initial",
        "SSL_CLIENT_VERIFY": "NONE",
    }
    if session.host:
        variables["SSL_TLS_SNI"] = _native(session.host)
    client = session.client
    if client:
        variables["SSL_CLIENT_VERIFY"] = "SUCCESS"
        variables["SSL_CLIENT_CERT"] = session.client_pem
        variables["SSL_CLIENT_M_VERSION"] = str(client.get("version", ""))
        variables["SSL_CLIENT_M_SERIAL"] = client.get("serialNumber", "")
        variables["SSL_CLIENT_V_START"] = client.get("notBefore", "")
        variables["SSL_CLIENT_V_END"] = client.get("notAfter", "")
        for what, name in (("subject", "S"), ("issuer", "I")):
            parts = client.get(what, ())
            variables[f"SSL_CLIENT_{name}_DN"] = distinguished_name(parts)
            variables.update(_parts(f"SSL_CLIENT_{name}_DN", parts))
        variables.update(_alternative_names(client.get("subjectAltName", ())))
    return variables


Names = Iterable[Iterable[tuple[str, str]]]
"""A name as ``getpeercert()`` gives it: from the root down, each step of one or more parts."""


def distinguished_name(names: Names) -> str:
    """A name as RFC 4514 writes it: the last step first."""
    steps = [
        "+".join(f"{_SHORT.get(kind, kind)}={_escaped(value)}" for kind, value in step)
        for step in names
    ]
    return _native(",".join(reversed(steps)))


def _parts(prefix: str, names: Names) -> WSGIEnvironment:
    """Each part by itself; of several of a kind, the later ones are numbered from 1."""
    variables: WSGIEnvironment = {}
    counts: dict[str, int] = {}
    for step in names:
        for kind, value in step:
            short = _SHORT.get(kind, kind)
            count = counts.get(short, 0)
            counts[short] = count + 1
            number = f"_{count}" if count else ""
            variables[f"{prefix}_{short}{number}"] = _native(value)
    return variables


def _alternative_names(names: Iterable[tuple[str, str]]) -> WSGIEnvironment:
    variables: WSGIEnvironment = {}
    counts: dict[str, int] = {}
    for kind, value in names:
        short = _SAN.get(kind)
        if short is not None:
            number = counts.get(short, 0)
            counts[short] = number + 1
            variables[f"SSL_CLIENT_SAN_{short}_{number}"] = _native(value)
    return variables


def _escaped(value: str) -> str:
    """RFC 4514, section 2.4: so nobody can write a part into the value of another."""
    text = "".join(f"\\{each}" if each in '"+,;<>\\' else each for each in value)
    text = text.replace("\0", "\\00")
    if text[:1] in ("#", " "):
        text = "\\" + text
    if len(value) > 1 and value[-1] == " ":
        text = text[:-1] + "\\ "
    return text


def _native(text: str) -> str:
    """As a native string (PEP 3333): octets of UTF-8, each the code point of that number."""
    return text.encode("utf-8", "backslashreplace").decode("latin-1")
