"""An application as large as small ones are: Flask with its templates, in one module.

``/`` is a page from a template, ``/process`` says which process has answered.
"""

import importlib
import os
from typing import Any


def make() -> Any:
    flask = importlib.import_module("flask")
    shop = flask.Flask(__name__)

    def page() -> Any:
        return flask.render_template_string("Hello, {{ name }}!\n\n", name="world")

    def process() -> str:
        return f"{os.getpid()}\n"

    shop.add_url_rule("/", view_func=page)
    shop.add_url_rule("/process", view_func=process)
    return shop


application = make()
