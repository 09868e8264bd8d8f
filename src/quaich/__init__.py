"""Quaich is WSGI, complete.

The modules that the standard library calls ``wsgiref`` stand here under the same names, with
the same public interface and their known defects mended: :mod:`quaich.util`,
:mod:`quaich.headers`, :mod:`quaich.handlers`, :mod:`quaich.simple_server`,
:mod:`quaich.validate` and :mod:`quaich.types`. :mod:`quaich.dropin` puts them in the place of
the standard ones for a whole program.

Like ``import wsgiref``, ``import quaich`` imports none of them.
"""

__version__ = "0.1.0"
