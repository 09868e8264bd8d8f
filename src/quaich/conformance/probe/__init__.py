"""``quaich probe``: a server is asked, rule by rule and on the wire, whether it keeps them.

presets        servers that are known, and how each is started
launching      a server as a process, with the probe's application
application    that application: stands alone, for the server runs it in its own Python
wire           a client of raw bytes
trials/        what is asked: a function for each rule
judging        the trials in their order, each on fresh connections, and its verdict
comparing      several servers in one table
"""
