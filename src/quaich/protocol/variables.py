"""Requests as variables: the naming that CGI gave to gateways and PEP 3333 took over for its
environ (RFC 3875, section 4.1).

FastCGI, SCGI and uwsgi carry variables of these names; a server of HTTP makes them itself.
"""

from collections.abc import Iterable
from typing import Any, Final, Literal

from quaich.protocol.request import Target, decode_path

HeaderMap = Literal["drop", "refuse", "dangerous"]
"""What becomes of a field whose name holds ``_``: it would be the same variable as the one
with ``-`` (H057, D043). The setting's and the values' names are gunicorn's."""

# These have variables of their own, without HTTP_ (PEP 3333; RFC 3875, section 4.1).
OWN_VARIABLE: Final = frozenset({"CONTENT_TYPE", "CONTENT_LENGTH"})

# Never exposed. PROXY: HTTP_PROXY configures the HTTP clients of CGI programs (httpoxy,
# CVE-2016-1000110; H059, D061).
NEVER: Final = frozenset({"PROXY"})

# What proxies say of a client. Never under another name: they replace or drop what clients send
# under the real one, and who believes the proxy would believe one that writes X_Forwarded_For.
BY_PROXIES: Final = frozenset(
    {
        "FORWARDED",
        "X_FORWARDED_FOR",
        "X_FORWARDED_HOST",
        "X_FORWARDED_PORT",
        "X_FORWARDED_PREFIX",
        "X_FORWARDED_PROTO",
        # Of these the server makes nothing; applications do.
        "X_FORWARDED_PROTOCOL",
        "X_FORWARDED_SCHEME",
        "X_FORWARDED_SERVER",
        "X_FORWARDED_SSL",
        # Who somebody is, for the applications behind an oauth2-proxy.
        "X_FORWARDED_ACCESS_TOKEN",
        "X_FORWARDED_EMAIL",
        "X_FORWARDED_GROUPS",
        "X_FORWARDED_PREFERRED_USERNAME",
        "X_FORWARDED_USER",
    }
)

some_seen = False
"""Whether a field of :data:`BY_PROXIES` has ever come to this process. Until then no request has
one: so where there is no proxy, nobody need look for six variables in each."""


def variable_name(field_name: str) -> str:
    """``"X-Forwarded-For"`` → ``"X_FORWARDED_FOR"``, without the ``HTTP_``."""
    global some_seen
    name = field_name.replace("-", "_").upper()
    if name in BY_PROXIES:
        some_seen = True
    return name


def target_variables(target: Target, raw: str) -> dict[str, str]:
    """PATH_INFO and QUERY_STRING, and the target as it was sent (D026): ``REQUEST_URI`` under
    CGI servers' name, ``RAW_URI`` under gunicorn's."""
    return {
        "PATH_INFO": decode_path(target.path),
        "QUERY_STRING": target.query,
        "REQUEST_URI": raw,
        "RAW_URI": raw,
    }


def add_fields(
    environ: dict[str, Any],
    fields: Iterable[tuple[str, str]],
    *,
    header_map: HeaderMap = "drop",
    separator: str = ", ",
) -> None:
    """Add a variable ``HTTP_…`` for each field; repeated fields are joined in their order
    (H052).

    Cookie is joined with ``"; "``, being one list over all its lines (RFC 6265, section 5.4;
    H053, D044). Content-Type and Content-Length have their own variables and are left out
    here, and so is Proxy. ``header_map="refuse"`` is the caller's to enforce before: here it
    drops.
    """
    for name, value in fields:
        variable = variable_name(name)
        if "_" in name and (header_map != "dangerous" or variable in BY_PROXIES):
            continue
        if variable in OWN_VARIABLE or variable in NEVER:
            continue
        key = "HTTP_" + variable
        if key in environ:
            environ[key] += ("; " if variable == "COOKIE" else separator) + value
        else:
            environ[key] = value
