"""Optional packages: which extra installs which package, and one line for a package that is missing.

Third-party packages that not everybody needs are imported inside the functions that use them.  `require` asks
for one before long work starts; `told` turns an import that failed anyway into the same line.
"""

from __future__ import annotations

import importlib.util

from .errors import InputError

EXTRAS = {
    "torch": "circuits",
    "matplotlib": "circuits",
    "jinja2": "bench",
    "vl_convert": "bench",
}


def require(package: str, where: str) -> None:
    """Make sure that a package can be imported, without importing it.

    `package` is a key of `EXTRAS`; `where` is the option or input that needs it.  Raises InputError.
    """
    if importlib.util.find_spec(package) is None:
        raise missing(package, where)


def missing(package: str, where: str) -> InputError:
    """Return the error that names a missing package and the extra that installs it."""
    return InputError(where, f"needs the package {package}", f"pip install 'relucid[{EXTRAS[package]}]'")


def told(error: ModuleNotFoundError, where: str) -> InputError | None:
    """Return the same error for an import that failed, or None if the module is not an optional package."""
    package = (error.name or "").partition(".")[0]
    return missing(package, where) if package in EXTRAS else None
