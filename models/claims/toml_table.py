"""The TOML of claim files, read strictly.

A key that nobody knows is an error, so that a typing error cannot weaken a claim.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ...common.errors import InputError
from ...common.files import decoded, read_file
from ...common.text import nested_too_deep

MAX_CLAIM_BYTES = 1 << 20


def read_table(path: Path) -> dict[str, Any]:
    """Return the table of a claim file.

    Raises InputError for what is not TOML, and for what is no claim file: too large, or nested too deeply.
    """
    try:
        data = read_file(path, MAX_CLAIM_BYTES)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(str(path), f"cannot read the claim file ({reason})", "check the path") from None
    if len(data) > MAX_CLAIM_BYTES:
        raise InputError(str(path), f"over {MAX_CLAIM_BYTES} bytes, which is no claim file", "check the path")
    try:
        table = tomllib.loads(decoded(data))
    except UnicodeDecodeError:
        raise InputError(str(path), "not UTF-8 text", "a claim file is TOML") from None
    except (ValueError, RecursionError) as error:  # tomllib's own error, and Python's for thousands of digits
        raise InputError(str(path), f"not valid TOML: {error}", "see docs/reference/claim-files.md") from None
    if nested_too_deep(table):
        raise InputError(str(path), "is nested too deeply", "see docs/reference/claim-files.md")
    if _beyond_64_bits(table):
        raise InputError(
            str(path),
            "holds an integer of more than 64 bits, which TOML does not have",
            "see docs/reference/claim-files.md",
        )
    return table


def _beyond_64_bits(value: object) -> bool:
    if isinstance(value, dict | list):
        return any(map(_beyond_64_bits, value.values() if isinstance(value, dict) else value))
    return isinstance(value, int) and not -(2**63) <= value < 2**63


def known(path: Path, table: Mapping[str, Any], keys: Iterable[str], place: str) -> None:
    """Raise InputError for a key of the table that is not among `keys`.

    place: what the message says before the key, such as "[domain] ".
    """
    keys = tuple(keys)
    for key in table:
        if key not in keys:
            raise InputError(f"{path}: {place}{key}", "unknown key", f"known keys are {', '.join(keys)}")


def subtable(path: Path, table: Mapping[str, Any], name: str, keys: Iterable[str]) -> Mapping[str, Any]:
    """Return the section of this name, which has no other keys.  Raises InputError where it is missing."""
    found = table.get(name)
    if not isinstance(found, dict):
        raise InputError(
            f"{path}: [{name}]",
            "section missing" if found is None else "not a section",
            f"add [{name}], see docs/reference/claim-files.md",
        )
    known(path, found, keys, f"[{name}] ")
    return found
