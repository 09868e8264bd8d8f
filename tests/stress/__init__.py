"""Programs that press the server hard: load, clients that misbehave, and what is lost by it.

===============  =================================================================
``application``  what is served: each answer shows which request it answers
``process``      the server as a process, and what the system says of it
``traffic``      clients that behave; they count every answer
``aborts``       clients that go, in each phase of a request
``crowd``        many slow or idle clients, as a program of its own
``report``       what a scenario counted
``scenarios``    the scenarios, in a small and a full size
===============  =================================================================

``python -m tests.stress`` lists them; ``python -m tests.stress NAME --full`` runs one in its
full size. ``tests/server`` runs most of them in the small one.
"""
