"""Hypothesis for every test: no deadline on shared machines, the same examples in every CI run."""

import os

from hypothesis import settings

settings.register_profile("aecore", deadline=None, derandomize=os.environ.get("CI") == "true")
settings.load_profile("aecore")
