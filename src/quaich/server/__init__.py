"""The production server: HTTP/1.1, pure Python, in one process or in several.

===================  =========================================================================
``running``          a server as a process: logs, signals
``supervisor``       the process that looks after workers, and a worker's life
``server``           the server as a whole: sockets, start, stop
``loop``             the leader's work: bytes in, requests answered, bytes out
``gathering``        a request's content on its way to the application
``retiring``         how a server stops
``threads``          who leads, who watches, who calls the application, for how long
``connections``      one connection and all of them, their beginnings and ends
``opening``          what comes before the first request: PROXY protocol, TLS handshake
``tls``              the bytes of a connection with TLS
``certificates``     loading them, choosing by host, noticing new ones
``poller``           waiting for sockets
``clock``            Date and Server
``listening``        listening sockets; Unix ones in ``unix_sockets``
``activation``       sockets that the process was started with
``process``          what a process is to the system: variables, owner, pidfile, title
``env_file``         files of variables
``directory_lock``   among processes
``notify``           telling the service manager
``starting``         the errors of a server that cannot begin
``recording``        from a call to a line of the access log, and to the figures
``access_log``       gathers the lines and writes them; ``access_format``: what a line says
``logs``             the logs as files
``counters``         what a worker counts; ``figures``: what it says of itself
``board``            the memory in which all workers say it
``health``           ``--health-path``
``statsd``           the same figures for statsd
``admin``            pages for an operator
===================  =========================================================================
"""
