"""The production server: HTTP/1.1, pure Python, in one process or in several.

===============  =============================================================================
``running``      a server as a process, from its settings to its end; ``stopping``: its signals
``supervisor``   the process that looks after workers, and a worker's life
``server``       the server as a whole: sockets, start, stop
``loop``         the leader's work: bytes in, requests answered, bytes out
``gathering``    a request's content on its way to the application
``retiring``     how a server stops
``threads``      who leads, who watches, who calls the application, for how long
``connections``  one connection and all of them, their beginnings and ends
``opening``      what comes before the first request: PROXY protocol, TLS handshake
``tls``          connections with TLS, and their certificates
``poller``       waiting for sockets
``clock``        Date and Server
``listeners``    sockets that listen, of TCP, of Unix, and of whoever started the process
``starting``     the errors of a server that cannot begin
``recording``    from a call to a line of the access log, and to the figures
``logs``         lines and files
``figures``      what is counted, and the memory in which all workers say it
``health``       ``--health-path``
``admin``        pages for an operator
``system``       what a process is to the system: variables, owner, pidfile, service manager
===============  =============================================================================
"""
