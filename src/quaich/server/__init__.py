"""The production server: HTTP/1.1, one process, pure Python.

==================  ==========================================================================
``server``          the server as a whole: sockets, start, stop
``running``         a server as a process: logs, signals
``listening``       listening sockets
``accepting``       new connections, and no room for more
``opening``         what comes before the first request: PROXY protocol, TLS handshake
``tls``             the bytes of a connection with TLS
``certificates``    loading them, choosing by host, noticing new ones
``poller``          waiting for sockets
``loop``            the leader's work: bytes in, requests answered, bytes out
``crew``            the threads: who leads, who watches, who answers
``predictor``       which requests are likely to be slow
``connection``      one connection
``registry``        all of them
``content``         a request's content, before the application is called
``outbox``          what could not be sent yet
``calling``         who calls the application, and what follows a call
``ending``          how a response ends, and what becomes of its connection
``refusal``         the server's own answers
``clock``           Date and Server
``recording``       from a call to a line of the access log
``access_log``      gathers the lines and writes them
``access_format``   what a line says
==================  ==========================================================================
"""
