"""The servers of the rows, and the command that starts each.

What is not said is left at each server's default, but for threads, which are as many everywhere,
and gunicorn's bound of connections, which is below that of the others. In the commands these are
filled in: python, bin, environment, nginx (programs and places), bind, port and socket (where to
listen), application, certificate, key, files, directory (where it runs).
"""

from dataclasses import dataclass, replace
from typing import Final

from benchmarks.deployed import nginx
from benchmarks.servers.peers import BY_NAME, QUAICH, THREADS, Server

NGINX: Final = Server("nginx", "", (), needs=("nginx",))
# No servers, but they have to be there as well.
FLASK: Final = Server("flask", "flask", ())
OPENSSL: Final = Server("openssl", "", (), needs=("openssl",))
GRANIAN: Final = BY_NAME["granian"]
GUNICORN: Final = BY_NAME["gunicorn"]
UWSGI: Final = BY_NAME["uwsgi"]
WAITRESS: Final = BY_NAME["waitress"]


@dataclass(frozen=True)
class Candidate:
    name: str  # in the row's table
    server: Server
    command: tuple[str, ...]
    nginx: str = ""  # its configuration: of nginx itself, or of the one before the server
    requests: str = ""  # in load.lua, if not those of the row


def quaich(*options: str, name: str = "quaich") -> Candidate:
    command = (
        *("{python}", "-m", "quaich", "serve", "--bind", "{bind}", "--threads", str(THREADS)),
        *options,
        "{application}",
    )
    return Candidate(name, QUAICH, command)


def gunicorn(*options: str, name: str = "gunicorn") -> Candidate:
    command = (
        *("{bin}/gunicorn", "--bind", "{bind}", "--worker-class", "gthread"),
        *("--threads", str(THREADS), "--worker-connections", "2000", "--no-control-socket"),
        *options,
        "{application}",
    )
    return Candidate(name, GUNICORN, command)


def granian(*options: str, name: str = "granian") -> Candidate:
    command = (
        *("{bin}/granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", "{port}"),
        *("--blocking-threads", str(THREADS)),
        *options,
        "{application}",
    )
    return Candidate(name, GRANIAN, command)


WAITRESS_SOCKET: Final = Candidate(
    "waitress",
    WAITRESS,
    (
        *("{bin}/waitress-serve", "--unix-socket", "{socket}", "--threads", str(THREADS)),
        *("--connection-limit", "2000", "--asyncore-use-poll", "{application}"),
    ),
)

UWSGI_SOCKET: Final = Candidate(
    "uwsgi (its protocol)",
    UWSGI,
    (
        *("{bin}/uwsgi", "--socket", "{socket}", "--virtualenv", "{environment}"),
        *("--module", "{application}", "--threads", str(THREADS), "--listen", "1024"),
        *("--disable-logging", "--need-app"),
    ),
    nginx.PROXY_UWSGI,
)

NGINX_FILES: Final = Candidate("nginx (sendfile)", NGINX, nginx.COMMAND, nginx.FILES)


def behind_nginx(candidate: Candidate) -> Candidate:
    return replace(candidate, nginx=candidate.nginx or nginx.PROXY)
