"""Hypothesis: the same examples on every CI run, so that a change is judged by itself; new ones on every run
at home.

Neither is judged by speed: these machines are shared.  And the browser in which reports are tested, where
there is one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from html_page import chromium
from hypothesis import HealthCheck, settings

# Workers share the cores with the processes that tests start: threads would only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

settings.register_profile(
    "home", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.register_profile("ci", settings.get_profile("home"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "home")


class Root:
    """The repository's root is the package `relucid`, whatever its folder is called.

    pytest would take it for a package of tests, and import it by the folder's name.
    """

    def pytest_collect_directory(self, path: Path, parent: pytest.Collector) -> pytest.Collector | None:
        return pytest.Dir.from_parent(parent, path=path) if path == Path(__file__).parents[1] else None


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Root())


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        path = chromium(driver)
        if path is None:
            pytest.skip("no Chromium here: set RELUCID_CHROMIUM, or install one (tests/README.md)")
        started = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield started
        started.close()
