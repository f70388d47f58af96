"""The rooms of the package, in the order in which imports may run, and where the repository is."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ROOMS = (
    "common",
    "models",
    "encoders",
    "verifiers",
    "search",
    "pipeline",
    "reports",
    "benchmarks",
    "experiments",
    "cli",
)
