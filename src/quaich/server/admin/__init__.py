"""What an operator can see: health, what goes on, and figures, on an address of their own.

    application           answers from the board (quaich.server.figures.board), whoever serves it
      look                  what the board says at one moment
      readiness             whether requests can be taken, and why not
      status_of             /status
      format_metrics        /metrics
    run                   serves it in a process of its own, beside workers
    start                 serves it in the process that serves the application

No thread of the application is asked for any of it.
"""

from quaich.server.admin.application import application
from quaich.server.admin.looking import Facts, facts_of
from quaich.server.admin.serving import Beside, open_admin, run, start

__all__ = ["Beside", "Facts", "application", "facts_of", "open_admin", "run", "start"]
