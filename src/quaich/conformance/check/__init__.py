"""``quaich check``: an application is called in all the ways that a server may call it, and
watched.

    targets      what is asked for: paths, an OpenAPI document, links
    gateway      who asks: a server in memory, exactly by PEP 3333, that can be told to be odd
    battery      how it is asked: the trials
    middleware   the same for middleware, between a checked server and applications that probe it
"""
