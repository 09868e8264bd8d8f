"""One WSGI call: the environ, ``wsgi.input``, the rules of start_response, closing.

This room knows no socket. It is handed what moves bytes: ``receive(n) -> bytes`` for the
request's body. Every transport, ``wsgiref``'s handlers as well as a server, calls the same
functions.

=================  ==========================================================================
``environ``        request → environ dictionary
``input``          ``wsgi.input`` over a body decoder
``files``          what a file tells about a response before it is read
``response``       what start_response accepts, what a block may be, what close() owes
=================  ==========================================================================
"""
