"""Sockets that listen.

================  ==========================================================================
``listening``     resolving an address, binding it, saying why that cannot be
``unix_sockets``  their paths, and what a server has left behind
``activation``    those that the process was started with
================  ==========================================================================
"""
