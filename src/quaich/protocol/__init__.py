"""Bytes ↔ messages, pure: values in, values out.

No socket, clock, thread, operating system or logging in this room; what a rule needs from
there arrives as an argument. Rules carry their numbers: ``H…`` for HTTP/1 (RFC 9110, 9112),
``S…`` and ``A…`` for what PEP 3333 asks of servers and of applications, ``D…`` for the defects
of ``wsgiref`` they mend. docs/conformance/rules.md says what each is.

===================  ========================================================================
``grammar``          the ABNF of RFC 9110 and 9112 as regular expressions
``errors``           faults of the peer (exceptions) and of the application (values)
``request``          request line, request target, field lines, Host
``body``             decoders and encoder of message bodies
``framing``          which decoder a request has; how a response is delimited; persistence
``response``         which status and header fields an application may send
``date``             IMF-fixdate
``memo``             what has been found sound before
===================  ========================================================================
"""
