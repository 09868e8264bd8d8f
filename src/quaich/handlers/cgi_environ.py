"""The process's environment as CGI variables: native strings, one code point an octet."""

import os
import sys
from typing import Final

_REQUEST_VARIABLES: Final = frozenset(
    {
        "AUTH_TYPE",
        "CONTENT_LENGTH",
        "CONTENT_TYPE",
        "HTTPS",
        "PATH_INFO",
        "QUERY_STRING",
        "REMOTE_IDENT",
        "REMOTE_USER",
        "REQUEST_METHOD",
        "SCRIPT_NAME",
    }
)

_is_request = _REQUEST_VARIABLES.__contains__


def _needs_transcode(name: str) -> bool:
    """The variable comes from the request (also through an internal redirect of Apache's)."""
    while name.startswith("REDIRECT_"):
        name = name.removeprefix("REDIRECT_")
    return _is_request(name) or name.startswith(("HTTP_", "SSL_"))


def _octets(value: str) -> str:
    """The text that Python decoded from the environment, one code point for each octet."""
    if sys.platform == "win32":
        # The environment there is Unicode: what the web server decoded must be encoded again,
        # and servers differ in how they decoded.
        software = os.environ.get("SERVER_SOFTWARE", "").lower()
        if software.startswith("apache/"):
            return value  # mod_cgi passes octets as code points
        if software.startswith("microsoft-iis/") or (
            software.startswith("simplehttp/") and "python/3" in software
        ):
            # IIS decodes UTF-8 where that is valid, else the code page; nobody can tell which.
            return value.encode("utf-8").decode("iso-8859-1")
        return value.encode(sys.getfilesystemencoding(), "replace").decode("iso-8859-1")
    return os.fsencode(value).decode("iso-8859-1")


def read_environ() -> dict[str, str]:
    """A copy of ``os.environ`` whose request variables are native strings of PEP 3333.

    Those are the CGI variables, ``HTTP_*``, ``SSL_*`` and ``REDIRECT_*`` of them; all others
    are as they were (PEP 3333, Unicode Issues).
    """
    return {
        name: _octets(value) if _needs_transcode(name) else value
        for name, value in os.environ.items()
    }


def gateway_environ() -> dict[str, str]:
    """:func:`read_environ` as a CGI program should see it.

    What a server may leave out of the path is filled in as empty (D063), and HTTP_PROXY is
    taken out: there it is the field ``Proxy`` of a request, while HTTP clients take it for
    their configuration (httpoxy, CVE-2016-1000110; D061).
    """
    environ = read_environ()
    environ.pop("HTTP_PROXY", None)
    for name in ("SCRIPT_NAME", "PATH_INFO", "QUERY_STRING"):
        environ.setdefault(name, "")
    return environ
