"""``python -m quaich.conformance.rules > docs/conformance/rules.md`` writes the list of rules."""

import sys

from quaich.conformance.rules import catalogue
from quaich.conformance.rules.text import index

sys.stdout.write(index(catalogue().values()))
