"""``python -m quaich.settings`` writes the page of the reference on settings."""

import sys

from quaich.settings.page import format_page

sys.stdout.write(format_page())
