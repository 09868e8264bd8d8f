"""TLS. A server without it imports nothing here, so as not to load OpenSSL.

================  ==========================================================================
``tunnel``        the state machine of one connection, between records and plain bytes
``connection``    a connection whose bytes go through one
``certificates``  loading them, choosing by host, noticing new ones
================  ==========================================================================
"""
