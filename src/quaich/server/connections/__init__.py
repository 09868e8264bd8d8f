"""Connections: one of them, all of them, how they begin and how they end.

================  ==========================================================================
``connection``    one connection: its state, its bytes, its owner
``surroundings``  what it asks of the loop that has it
``registry``      all of them, and which is overdue
``accepting``     new ones, and no room for more
``content``       a request's content, before the application is called
``outbox``        what could not be sent yet
``ending``        how a response ends, and what becomes of its connection
``refusal``       the server's own answers
================  ==========================================================================
"""
