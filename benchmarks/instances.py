"""A VNN-COMP benchmark on disk: a folder with instances.csv, networks and properties, each perhaps gzipped.

Read by `vnncomp.py`.  The competition's rules say what the file is (https://github.com/VNN-COMP).
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..common.deadline import MOST_SECONDS
from ..common.errors import InputError
from ..common.files import decoded, read_file
from ..models.apart import network_files

LARGEST = 1 << 28  # bytes of an instances.csv
LONGEST_PART = 250  # bytes of a folder's or file's own name, with room for .gz
LONGEST_NAME = 4096  # bytes


@dataclass(frozen=True)
class Instance:
    """A line of instances.csv; `timeout` in seconds."""

    network: str
    stated: str
    timeout: float

    @property
    def name(self) -> str:
        """What results call it."""
        return f"{self.network} {self.stated}"


def instances(folder: Path) -> list[Instance]:
    """Read the lines of a folder's instances.csv: network, property, seconds.  Raises InputError."""
    path = folder / "instances.csv"
    try:
        text = decoded(read_file(path, LARGEST))
    except FileNotFoundError:
        raise InputError(
            str(folder), "holds no instances.csv", "give a folder of a VNN-COMP benchmark"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            str(path), f"cannot be read ({getattr(error, 'strerror', None) or error})", "check the file"
        ) from None
    found: list[Instance] = []
    known: set[tuple[str, str]] = set()
    for number, line in enumerate(_lines(path, text), start=1):
        if not any(cell.strip() for cell in line):
            continue
        try:
            network, stated, seconds = (cell.strip() for cell in line)
            limit = float(seconds)
            if not 0 < limit < float("inf") or not all(_is_a_name(n) for n in (network, stated)):
                raise ValueError
        except ValueError:
            raise InputError(
                f"{path}:{number}", "is not `network,property,seconds`", "mend the line"
            ) from None
        if (network, stated) in known:
            raise InputError(f"{path}:{number}", "is there twice", "remove the line")
        known.add((network, stated))
        found.append(Instance(network, stated, min(limit, MOST_SECONDS)))
    if not found:
        raise InputError(str(path), "has no instances", "give a folder of a VNN-COMP benchmark")
    return found


def _is_a_name(text: str) -> bool:
    """Whether a file could have this name."""
    parts = Path(text).parts
    return (
        bool(parts)
        and "\0" not in text
        and len(os.fsencode(text)) < LONGEST_NAME
        and all(len(os.fsencode(p)) < LONGEST_PART for p in parts)
    )


def _lines(path: Path, text: str) -> Iterator[list[str]]:
    reader = csv.reader(io.StringIO(text))
    try:
        yield from reader
    except csv.Error as error:
        raise InputError(f"{path}:{reader.line_num}", f"is not CSV ({error})", "mend the line") from None


def read_files(folder: Path) -> Iterator[Path]:
    """Yield every file that a run of the benchmark reads."""
    yield folder / "instances.csv"
    for instance in instances(folder):
        yield from network_files(there(folder / instance.network))
        yield there(folder / instance.stated)


def there(path: Path) -> Path:
    """Return the file, or its .gz where only that is there."""
    packed = path.with_name(path.name + ".gz")
    return packed if not path.exists() and packed.exists() else path
