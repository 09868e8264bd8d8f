"""A WSGI application as a CGI program: the streams and environment of the process."""

import sys
from typing import Any

from quaich.handlers.cgi_environ import gateway_environ
from quaich.handlers.streams import BaseCGIHandler


class _ProcessHandler(BaseCGIHandler):
    """The streams and the environment of the process, for one request."""

    wsgi_run_once = True
    # The environment is read anew for each instance: some gateways run many requests in one
    # process (bpo-7250).
    os_environ: dict[str, str] = {}

    def __init__(self) -> None:
        super().__init__(
            _binary(sys.stdin),
            _binary(sys.stdout),
            sys.stderr,
            gateway_environ(),
            multithread=False,
            multiprocess=True,
        )


def _binary(stream: Any) -> Any:
    """The binary stream under a text stream; itself where there is none (IDLE; D062)."""
    return getattr(stream, "buffer", stream)


class CGIHandler(_ProcessHandler):
    """``CGIHandler().run(app)`` answers the one request that a CGI program is started for.

    ``wsgi.run_once`` and ``wsgi.multiprocess`` are true, ``wsgi.multithread`` is false.
    """


class IISCGIHandler(_ProcessHandler):
    """:class:`CGIHandler` for Microsoft IIS, which repeats SCRIPT_NAME in front of PATH_INFO.

    IIS can be told not to do so, but a CGI program cannot see whether it was; hence the class
    of its own. Use it unless ``allowPathInfo`` is set.
    """

    def __init__(self) -> None:
        super().__init__()
        path, script = self.base_env["PATH_INFO"], self.base_env["SCRIPT_NAME"]
        if (path + "/").startswith(script + "/"):
            self.base_env["PATH_INFO"] = path[len(script) :]
