"""The list of packages, found: the repository's root is the package `relucid` (everything else is in
pyproject.toml).
"""

from setuptools import find_namespace_packages, setup

OUTSIDE = ["tests*", "experiments*", "examples*", "docs*", "out*", "build*", "dist*", "*.egg-info*"]
ROOMS = [
    "common*",
    "models*",
    "encoders*",
    "verifiers*",
    "search*",
    "pipeline*",
    "reports*",
    "benchmarks*",
    "cli*",
]

setup(
    packages=[
        "relucid",
        *(f"relucid.{name}" for name in find_namespace_packages(include=ROOMS, exclude=OUTSIDE)),
    ]
)
