"""Properties from VNN-LIB files, of version 1.0 and 2.0.

The first step of `relucid verify`, beside the reader of ONNX files.  Numbers are taken exactly, as their
decimal text says.
"""

from __future__ import annotations

import gzip
import re
import zlib
from dataclasses import replace
from io import BytesIO
from pathlib import Path

from ...common.errors import InputError
from ...common.files import decoded, read_file
from .condition import Unbounded, to_property
from .property import Property
from .vnnlib_first import read_first_version
from .vnnlib_second import read_second_version

MAX_BYTES = 2**28
SECOND_VERSION = re.compile(r"\(\s*(?:vnnlib-version|declare-network)\b")


def load_vnnlib(path: str | Path) -> Property:
    """Return the property of a file, which may be packed with gzip.

    Raises InputError for what is no such file, and Unsupported where the property is too large.
    """
    return read_vnnlib(load_text(path), origin=str(path))


def load_text(path: str | Path) -> str:
    """Return the text of a file, unpacked.  Raises InputError."""
    origin = str(path)
    try:
        data = read_file(path, MAX_BYTES)
        if data[:2] == b"\x1f\x8b":
            with gzip.open(BytesIO(data)) as unpacked:
                data = unpacked.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise InputError(origin, "there is no such file", "check the path") from None
    except (OSError, EOFError, ValueError) as error:
        what = getattr(error, "strerror", None) or error
        raise InputError(origin, f"cannot be read ({what})", "check the path and its permissions") from None
    except zlib.error as error:
        raise InputError(origin, f"cannot be unpacked ({error})", "compress it again with gzip") from None
    if len(data) > MAX_BYTES:
        raise InputError(origin, f"is larger than {MAX_BYTES >> 20} MB", "split the property")
    try:
        return decoded(data)
    except UnicodeDecodeError as error:
        raise InputError(
            origin, f"is no text (byte {error.start} is not UTF-8)", "give a VNN-LIB file"
        ) from None


def read_vnnlib(text: str, *, origin: str = "property") -> Property:
    """Return the property that a text states.

    Raises what `load_vnnlib` raises; `origin` names the file in messages.
    """
    bare = re.sub(r";[^\n]*", "", text)
    reader = read_second_version if SECOND_VERSION.search(bare) else read_first_version
    found = reader(text, origin)
    try:
        stated = to_property(found.conditions, found.inputs, found.outputs)
        return replace(stated, wanted=found.wanted, source=text)
    except Unbounded as error:
        raise InputError(origin, str(error), "assert one: every input needs a finite interval") from None
