"""Hypothesis: the same examples on every CI run, so that a change is judged by itself; new ones on every run at home.

Neither is judged by speed: these machines are shared.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

settings.register_profile("home", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.register_profile("ci", settings.get_profile("home"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "home")
