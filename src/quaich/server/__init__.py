"""The production server: HTTP/1.1, one process, pure Python.

===============  ============================================================================
``server``       the server as a whole: sockets, start, stop
``listening``    listening sockets
``accepting``    new connections, and no room for more
``poller``       waiting for sockets
``loop``         the leader's work: bytes in, requests answered, bytes out
``crew``         the threads: who leads, who watches, who answers
``predictor``    which requests are likely to be slow
``connection``   one connection
``registry``     all of them
``outbox``       what could not be sent yet
``content``      a request's content, before the application is called
``refusal``      the server's own answers
``clock``        Date and Server
``access_log``   a line for each request
===============  ============================================================================
"""
