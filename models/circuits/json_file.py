"""Read a JSON file that belongs to a circuit: a configuration, a vocabulary, a mask or a graph."""

from __future__ import annotations

import json
from pathlib import Path

from ...common.errors import InputError
from ...common.files import decoded, read_file
from ...common.text import parsed_json

MAX_JSON_BYTES = 1 << 28
_SEE = "see docs/reference/circuits.md"


def read_json(path: Path, mend: str = "") -> object:
    """Read one JSON file of limited size.

    Args:
        path: the file.
        mend: what to tell the user if the file does not exist.

    Returns: the value that the file states.

    Raises:
        InputError: the file is missing, unreadable, too large, or not JSON.
    """
    try:
        data = read_file(path, MAX_JSON_BYTES)
    except FileNotFoundError:
        raise InputError(str(path), "there is no such file", mend) from None
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or error
        raise InputError(str(path), f"cannot be read: {said}", "check the path and its permissions") from None
    if len(data) > MAX_JSON_BYTES:
        raise InputError(str(path), f"is over {MAX_JSON_BYTES} bytes", _SEE)
    try:
        return parsed_json(decoded(data))
    except UnicodeDecodeError:
        raise InputError(str(path), "is not a text file", "it is JSON in UTF-8") from None
    except json.JSONDecodeError as error:
        raise InputError(f"{path}:{error.lineno}", f"is not JSON: {error.msg}", _SEE) from None
    except ValueError as error:  # an integer of thousands of digits, or lists nested without end
        raise InputError(str(path), f"cannot be read: {error}", _SEE) from None
