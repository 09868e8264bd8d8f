"""Run a program that serves on port 8000, on a free port of the loopback instead.

    python free_port.py PACKAGE program.py

PACKAGE is where the program imports ``simple_server`` from; or it calls ``quaich.serve``. The first
line on standard output is the port and the module that really serves. When standard input ends, the
request that is being answered is finished, and the program is interrupted as by Ctrl+C.
"""

import importlib
import runpy
import sys
import threading
from typing import Any

import quaich


def main(package: str, program: str) -> None:
    simple_server: Any = importlib.import_module(f"{package}.simple_server")
    make_server = simple_server.make_server

    def make_server_on_free_port(host: str, port: int, app: Any, *args: Any) -> Any:
        if port != 8000 or host not in ("", "127.0.0.1"):
            raise SystemExit(f"the examples serve on port 8000, not on {host!r}, {port}")
        server = make_server("127.0.0.1", 0, app, *args)
        serve_forever = server.serve_forever

        def stop_at_end_of_input() -> None:
            sys.stdin.read()
            server.shutdown()

        def serve_until_stopped() -> None:
            threading.Thread(target=stop_at_end_of_input, daemon=True).start()
            serve_forever(0.01)
            raise KeyboardInterrupt

        server.serve_forever = serve_until_stopped
        print(server.server_port, simple_server.__name__, flush=True)
        return server

    def serve_on_free_port(app: Any) -> None:
        with quaich.Server(app, bind="127.0.0.1:0") as server:
            print(server.port, type(server).__module__, flush=True)
            sys.stdin.read()

    simple_server.make_server = make_server_on_free_port
    vars(quaich)["serve"] = serve_on_free_port
    sys.argv = [program]
    runpy.run_path(program, run_name="__main__")


if __name__ == "__main__":
    main(*sys.argv[1:])
