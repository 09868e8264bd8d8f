"""Put Quaich under the name ``wsgiref`` in every interpreter of the environment, when asked.

A ``.pth`` file beside this module imports it at the start of each interpreter, so programs which
the tests start are covered as well as the tests.  Nothing else may be imported here: it would be
paid for by every start.
"""

import os

if os.environ.get("QUAICH_COMPAT") == "quaich":
    import quaich.dropin

    quaich.dropin.install()
