"""Each name of the manual of wsgiref, and each that is in use without it, is documented."""

import importlib
import re
from pathlib import Path
from types import ModuleType

import pytest

PAGES = Path(__file__).parents[2] / "docs" / "reference"

NAMES = {
    "dropin": [
        "MODULES",
        "install",
        "installed",
        "uninstall",
    ],
    "handlers": [
        "BaseCGIHandler",
        "BaseHandler",
        "CGIHandler",
        "IISCGIHandler",
        "SimpleHandler",
        "format_date_time",
        "read_environ",
        "BaseHandler._flush",
        "BaseHandler._write",
        "BaseHandler.add_cgi_vars",
        "BaseHandler.cleanup_headers",
        "BaseHandler.client_is_modern",
        "BaseHandler.close",
        "BaseHandler.error_body",
        "BaseHandler.error_headers",
        "BaseHandler.error_output",
        "BaseHandler.error_status",
        "BaseHandler.finish_content",
        "BaseHandler.finish_response",
        "BaseHandler.get_scheme",
        "BaseHandler.get_stderr",
        "BaseHandler.get_stdin",
        "BaseHandler.handle_error",
        "BaseHandler.headers_class",
        "BaseHandler.http_version",
        "BaseHandler.log_exception",
        "BaseHandler.origin_server",
        "BaseHandler.os_environ",
        "BaseHandler.result_is_file",
        "BaseHandler.run",
        "BaseHandler.send_headers",
        "BaseHandler.send_preamble",
        "BaseHandler.sendfile",
        "BaseHandler.server_software",
        "BaseHandler.set_content_length",
        "BaseHandler.setup_environ",
        "BaseHandler.start_response",
        "BaseHandler.traceback_limit",
        "BaseHandler.write",
        "BaseHandler.wsgi_file_wrapper",
        "BaseHandler.wsgi_multiprocess",
        "BaseHandler.wsgi_multithread",
        "BaseHandler.wsgi_run_once",
        "BaseHandler.wsgi_version",
    ],
    "headers": [
        "Headers",
        "tspecials",
        "Headers.__bytes__",
        "Headers.__contains__",
        "Headers.__delitem__",
        "Headers.__getitem__",
        "Headers.__len__",
        "Headers.__setitem__",
        "Headers.__str__",
        "Headers.add_header",
        "Headers.get",
        "Headers.get_all",
        "Headers.items",
        "Headers.keys",
        "Headers.setdefault",
        "Headers.values",
    ],
    "simple_server": [
        "ServerHandler",
        "ThreadingWSGIServer",
        "WSGIRequestHandler",
        "WSGIRequestHandler.get_environ",
        "WSGIRequestHandler.get_stderr",
        "WSGIRequestHandler.handle",
        "WSGIServer",
        "WSGIServer.get_app",
        "WSGIServer.set_app",
        "demo_app",
        "make_server",
        "server_version",
        "software_version",
        "sys_version",
    ],
    "types": [
        "ErrorStream",
        "FileWrapper",
        "InputStream",
        "StartResponse",
        "WSGIApplication",
        "WSGIEnvironment",
    ],
    "util": [
        "FileWrapper",
        "application_uri",
        "guess_scheme",
        "is_hop_by_hop",
        "request_uri",
        "setup_testing_defaults",
        "shift_path_info",
    ],
    "validate": [
        "ErrorWrapper",
        "InputWrapper",
        "IteratorWrapper",
        "PartialIteratorWrapper",
        "WSGIWarning",
        "WriteWrapper",
        "assert_",
        "bad_header_value_re",
        "check_content_type",
        "check_environ",
        "check_errors",
        "check_exc_info",
        "check_headers",
        "check_input",
        "check_iterator",
        "check_status",
        "check_string_type",
        "header_re",
        "validator",
    ],
}
CASES = [(module, name) for module, names in NAMES.items() for name in names]


@pytest.mark.parametrize(("module", "name"), CASES, ids=".".join)
def test_name_exists(module: str, name: str) -> None:
    found: object = importlib.import_module(f"quaich.{module}")
    for part in name.split("."):
        found = getattr(found, part)


# The page of Headers takes all its members.
LISTED = [(module, name) for module, name in CASES if not name.startswith("Headers.")]


@pytest.mark.parametrize(("module", "name"), LISTED, ids=".".join)
def test_name_is_in_the_reference(module: str, name: str) -> None:
    page = (PAGES / f"{module}.md").read_text("utf-8")
    last = name.rpartition(".")[2]
    assert re.search(rf"^ *(\.\. auto\w+::|:members:).*\b{last}\b", page, re.M)


@pytest.mark.parametrize("module", NAMES)
def test_public_names_are_among_them(module: str) -> None:
    found = importlib.import_module(f"quaich.{module}")
    # wsgiref.headers gives re to "import *", and so does ours.
    public = {name for name in found.__all__ if not isinstance(getattr(found, name), ModuleType)}
    assert public <= set(NAMES[module])
