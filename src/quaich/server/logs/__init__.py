"""The logs.

=================  =========================================================================
``files``          opened, opened anew, given to those who write them
``access_log``     lines are gathered, and many are written at once
``access_format``  what a line says
=================  =========================================================================
"""
