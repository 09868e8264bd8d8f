"""Hypothesis' profiles: ``ci``, the default, always tries the same examples; ``thorough`` looks
for new ones and is for a quiet evening (``HYPOTHESIS_PROFILE=thorough pytest tests/properties``).
"""

import os

from hypothesis import settings

settings.register_profile("ci", derandomize=True, deadline=None, max_examples=100, database=None)
settings.register_profile("thorough", deadline=None, max_examples=5000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))
