"""Programs that count what is lost while workers are replaced: nothing, but for what a killed one
had in its hands.

===============  =================================================================
``application``  what is served: each answer shows which request it answers, and who answered
``clients``      8 clients at full speed, of which each counts every answer
``service``      the supervised server as a process, and what its log says
``renewal``      a certificate that is replaced, and what clients are shown
``scenarios``    what is done to it meanwhile, in a small and a full size
``outcome``      what was counted, as a row of a table
===============  =================================================================

``python -m tests.loss`` lists the scenarios; ``python -m tests.loss all --full`` runs them in their
full size. ``tests/server/supervisor`` runs them in the small one.
"""
