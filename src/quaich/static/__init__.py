"""Files below a URL, sent without the application: the setting ``static``, or a middleware of its
own for any WSGI server.

    paths           PATH_INFO → the names of a file, and no way out
    directory       names → an open file below a directory
    conditions      If-Match, If-None-Match, …: whether there is anything to send
    ranges          Range: which bytes
    coding          Accept-Encoding: a compressed file instead
    content_types   Content-Type by the file's name
    middleware      all of it together

All but ``directory`` and ``middleware`` are pure: values in, values out.
"""

from quaich.settings import Files, SettingError
from quaich.static.middleware import StaticFiles
from quaich.static.paths import Route
from quaich.types import WSGIApplication

__all__ = ["Route", "StaticFiles", "wrap"]


def wrap(application: WSGIApplication, files: Files) -> WSGIApplication:
    """The application behind the files that the settings name; itself if there are none. Raises
    :class:`~quaich.settings.SettingError` for a directory that is not there."""
    if not files.static:
        return application
    try:
        return StaticFiles(
            application,
            files.static,
            expires=files.static_expires,
            symlinks=files.static_symlinks,
        )
    except ValueError as error:
        raise SettingError("static", str(error)) from error
