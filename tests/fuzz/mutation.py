"""Changes to data that anybody may send: JSON values, lines of text, bytes.  What kind they are of is not
known here.
"""

from __future__ import annotations

import copy
import json
import random
import re
from collections.abc import Iterator, Sequence
from typing import Any

NUMBERS = (0, 1, -1, 2, 3, 5, 99, 128, 255, 256, 257, 2**31, -(2**63), 2**64, 10**30, 2**200, 10**500)
VALUES = (
    None,
    True,
    False,
    "",
    "run",
    "parts",
    [],
    [0],
    {},
    ["symbol", 0, [0]],
    ["state", 1, [0]],
    "0",
    1.5,
    -0.0,
)
WORDS = ("nan", "inf", "-1", "9" * 5000, "1e999", "0x", "\\u2028", "\x00", "'", '"', "]", "}", "(", "..", "/dev/null", "../../x", "\ufeff", "é", "true",
         "None", "\n", "\r", "\t", "-" * 300, "[" * 2000, "{" * 300)  # fmt: skip


def places(value: Any, before: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every value inside."""
    if isinstance(value, dict):
        inner: Any = value.items()
    elif isinstance(value, list):
        inner = enumerate(value)
    else:
        return
    for key, inside in inner:
        yield (*before, key)
        yield from places(inside, (*before, key))


def at(value: Any, path: Sequence[Any]) -> Any:
    for key in path:
        value = value[key]
    return value


def other_json(value: Any, rng: random.Random, donors: Sequence[Any] = ()) -> Any:
    """One change somewhere inside: another number, a list's entries in other numbers or order, a value of
    another kind or place.
    """
    out = copy.deepcopy(value)
    paths = list(places(out))
    if not paths:
        return out
    if rng.random() < 0.4:  # numbers are most of what there is
        paths = [p for p in paths if not isinstance(at(out, p), int)] or paths
    path = rng.choice(paths)
    holder, key = at(out, path[:-1]), path[-1]
    now = holder[key]
    kind = rng.random()
    if isinstance(now, int) and not isinstance(now, bool) and kind < 0.75:
        holder[key] = rng.choice((now + 1, now - 1, -now, 2 * now, now // 2, rng.choice(NUMBERS)))
    elif isinstance(holder, list) and kind < 0.25:
        del holder[key]
    elif isinstance(holder, list) and kind < 0.45:
        holder.insert(rng.randint(0, len(holder)), copy.deepcopy(now))
    elif isinstance(holder, list) and kind < 0.65:
        other = rng.randrange(len(holder))
        holder[key], holder[other] = holder[other], holder[key]
    elif isinstance(now, list) and now and kind < 0.75:
        rng.shuffle(now)
    elif kind < 0.9:  # what stands elsewhere, here or in another one
        source = rng.choice([out, *donors])
        like = [p for p in places(source) if type(at(source, p)) is type(now)]
        if like:
            holder[key] = copy.deepcopy(at(source, rng.choice(like)))
    elif isinstance(holder, dict) and rng.random() < 0.5:
        holder.pop(key)
        if rng.random() < 0.5:
            holder["note"] = now
    else:
        holder[key] = copy.deepcopy(rng.choice((*VALUES, *NUMBERS)))
    return out


def other_lines(lines: Sequence[str], rng: random.Random, donors: Sequence[str] = ()) -> list[str]:
    """Lines dropped, doubled, swapped, moved, taken from another file; a number, a sign or a word in one of
    them.
    """
    out = list(lines)
    if not out:
        return out
    i, j, kind = rng.randrange(len(out)), rng.randrange(len(out)), rng.randrange(11)
    if kind == 0:
        del out[i]
    elif kind == 1:
        out.insert(j, out[i])
    elif kind == 2:
        out[i], out[j] = out[j], out[i]
    elif kind == 3:
        del out[min(i, j) : min(i, j) + rng.choice((2, 5, 20))]
    elif kind == 4 and donors:
        out[i] = rng.choice(donors)
    elif kind == 5:
        out = out[:i]
    elif kind == 6 and "~" in out[i]:
        out[i] = out[i].replace("~", "", 1)
    elif kind == 7:
        words = out[i].split(" ")
        del words[rng.randrange(len(words))]
        out[i] = " ".join(words) if words and words[-1].endswith("\n") else " ".join(words) + "\n"
    elif kind == 8:
        words = out[i].split(" ")
        a, b = rng.randrange(len(words)), rng.randrange(len(words))
        if len(words) > 2 and max(a, b) < len(words) - 1:
            words[a], words[b] = words[b], words[a]
        out[i] = " ".join(words)
    else:
        numbers = list(re.finditer(r"-?\d+", out[i]))
        if numbers:
            m = rng.choice(numbers)
            now = int(m.group())
            out[i] = (
                out[i][: m.start()]
                + str(rng.choice((now + 1, now - 1, -now, 0, 2 * now, 1)))
                + out[i][m.end() :]
            )
    return out


def other_bytes(data: bytes, rng: random.Random) -> bytes:
    """Bytes flipped, dropped, doubled, cut off; pieces of text replaced by nasty ones."""
    if not data:
        return rng.randbytes(rng.randint(0, 20))
    i, size = rng.randrange(len(data)), int(4 ** (rng.random() * 4))
    kind = rng.randrange(9)
    if kind == 0:
        return data[:i] + bytes([data[i] ^ (1 << rng.randrange(8))]) + data[i + 1 :]
    if kind == 1:
        return data[:i] + rng.choice((b"\x00", b"\xff", b"\x7f", b"\x80", b"\n")) + data[i + 1 :]
    if kind == 2:
        return data[:i] + data[i + size :]
    if kind == 3:
        return data[: i + size] + data[i : i + size] + data[i + size :]
    if kind == 4:
        return data[:i]
    if kind == 5:
        return data[:i] + rng.randbytes(size) + data[i + size :]
    if kind == 6:
        j = rng.randrange(len(data))
        return data[:i] + data[j : j + size] + data[i:]
    word = rng.choice(WORDS).encode()
    end = i + rng.choice((0, 1, size))
    return data[:i] + word + data[end:]


def other_text(data: bytes, rng: random.Random) -> bytes:
    """As `other_bytes`, but a number, a word or a line of it, so that it stays nearly what it is."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return other_bytes(data, rng)
    kind = rng.randrange(3)
    if kind == 0:
        return "".join(other_lines(text.splitlines(keepends=True), rng)).encode()
    found = list(re.finditer(r"-?\d+(\.\d+)?" if kind == 1 else r"[\w.<>]+|\"[^\"]*\"", text))
    if not found:
        return other_bytes(data, rng)
    m = rng.choice(found)
    new = (
        str(rng.choice(NUMBERS))
        if kind == 1 and rng.random() < 0.7
        else rng.choice((*WORDS, rng.choice(found).group(), '"x"', "[]", "{}", ""))
    )
    return (text[: m.start()] + new + text[m.end() :]).encode()


def other_json_text(data: bytes, rng: random.Random) -> bytes:
    """As JSON, where it is some."""
    try:
        return json.dumps(other_json(json.loads(data), rng)).encode()
    except (ValueError, RecursionError):
        return other_bytes(data, rng)
