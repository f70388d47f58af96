"""A supervised child: what it says, takes and leaves, and how it ends; each child is a script of one line."""

from __future__ import annotations

import ast
import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest
from relucid.common.processes.limits import Ended, Limits
from relucid.common.processes.supervised import Module, Supervised, close, supervised
from relucid.common.processes.tree import snapshot
from relucid.common.scratch import lasting

sys.path.insert(0, str(Path(__file__).parent))  # the children import this file by name
OUTER = 120.0  # seconds; nothing here depends on how fast the machine is
STAY = "time.sleep(1000)"


def python(code: str) -> list[str]:
    return [sys.executable, "-c", f"import os, sys, time\n{code}"]


def limits(seconds: float = OUTER, memory_mb: float = 10_000) -> Limits:
    return Limits(time.monotonic() + seconds, memory_mb)


def alive(pid: int) -> bool:
    info = snapshot().get(pid)
    return info is not None and not info.zombie


def main(request, parent) -> None:
    """What a child of the tests runs: files in both kinds of folders, noise on stdout, two messages."""
    asked = json.load(request)
    print("noise")
    os.write(1, b"more noise\n")
    parent.send({"asked": asked, "kept": str(lasting("relucid-test-")), "stdin": sys.stdin.read()})
    with open(os.path.join(os.environ["TMPDIR"], "left"), "w") as file:
        file.write("half")
    parent.send({"left": file.name})
    time.sleep(asked)


@pytest.mark.parametrize(
    ("code", "ended"),
    [
        ("sys.exit(3)", Ended("exited", 3)),
        ("os.kill(os.getpid(), 9)", Ended("killed", 9)),
        (STAY, Ended("timeout")),
        (f"kept = bytearray(os.urandom(1 << 20) * 300)\n{STAY}", Ended("memory")),
        ("sys.stdout.close(); os.close(1)\n" + STAY, Ended("timeout")),
    ],
)
def test_how_it_ends(code: str, ended: Ended) -> None:
    asked = limits(0.5 if ended.how == "timeout" else OUTER, 150)
    with supervised(python(code)) as child:
        assert list(child.messages(asked)) == [] and child.ended == ended
    assert not alive(child.process.pid)
    assert child.peak_mb > 5 or ended.how in ("exited", "killed")  # nobody looked while it lived


def test_lines_come_as_they_are_said_and_the_end_of_what_is_printed_is_kept() -> None:
    code = "for k in range(3): print(k, flush=True)\nos.write(1, b'half')\nos.write(2, b'x\\n' * 10**6 + b'last\\n \\n')"
    with supervised(python(code), b"request") as child:
        assert list(child.messages(limits())) == [b"0", b"1", b"2"]
    assert (child.unfinished, child.last_line, child.ended) == (b"half", "last", Ended("exited"))


def test_long_lines_are_whole() -> None:
    with supervised(python("print('x' * 10**7); print('y')")) as child:
        assert [len(line) for line in child.messages(limits())] == [10**7, 1]


def test_a_line_without_end_is_over_the_memory_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("relucid.common.processes.supervised.LONGEST", 1 << 20)
    with supervised(python("while True: os.write(1, b'x' * 65536)")) as child:
        assert list(child.messages(limits())) == [] and child.ended == Ended("memory")


def test_a_request_that_nobody_reads_blocks_nobody() -> None:
    with supervised(python("print('done')"), b"x" * (4 << 20)) as child:
        assert list(child.messages(limits())) == [b"done"]


def test_a_module_gets_its_request_and_leaves_nothing_but_what_is_to_last() -> None:
    with supervised(Module(__name__), b"0.01") as child:
        heard = [json.loads(line) for _, line in zip(range(2), child.messages(limits()), strict=False)]
        first, left = heard[0], Path(heard[1]["left"])
        assert left.exists() and first["asked"] == 0.01 and first["stdin"] == ""
    assert not left.exists() and not left.parent.exists()
    assert Path(first["kept"]).is_dir()
    Path(first["kept"]).rmdir()
    assert "noise" in child.printed


def test_a_module_that_is_ended_leaves_nothing_either() -> None:
    with supervised(Module(__name__), b"1000") as child:
        *_, last = (json.loads(line) for _, line in zip(range(2), child.messages(limits()), strict=False))
        assert Path(last["left"]).exists()
    assert not Path(last["left"]).parent.exists() and not alive(child.process.pid)


def test_a_module_that_raises() -> None:
    with supervised(Module("relucid.no_such_module")) as child:
        assert list(child.messages(limits())) == []
    assert child.ended == Ended("exited", 1) and "ModuleNotFoundError" in child.last_line


def test_stop_ends_the_wait() -> None:
    stop = threading.Event()
    with supervised(python(f"print('here', flush=True)\n{STAY}")) as child:
        for line in child.messages(limits(), stop):
            assert line == b"here"
            stop.set()
    assert child.ended == Ended("interrupted")


def test_an_interrupt_ends_it() -> None:
    with (
        pytest.raises(KeyboardInterrupt),
        supervised(python(f"print('here', flush=True)\n{STAY}")) as child,
    ):
        for _ in child.messages(limits()):
            signal.raise_signal(signal.SIGINT)
    assert not alive(child.process.pid)


def test_turns() -> None:
    child = Supervised(python("while True: print(time.process_time(), flush=True)"))
    try:
        next(child.messages(limits()))
        child.pause(snapshot())
        time.sleep(0.1)
        while child.read():  # what it had said before
            time.sleep(0.05)
        spent = child.seconds
        time.sleep(0.2)
        assert child.seconds == spent and not child.read() and child.turn_seconds == 0 and child.turns == 1
        child.resume(snapshot())
        next(child.messages(limits()))
        assert child.seconds > spent and len(child.spans) == 2
    finally:
        close([child])
    assert not alive(child.process.pid)


def test_a_program_that_cannot_be_started_leaves_no_pipe() -> None:
    before = os.listdir("/proc/self/fd")
    with pytest.raises(OSError), supervised(["/no/such/program"]):
        pass
    assert os.listdir("/proc/self/fd") == before


def test_nobody_else_starts_processes() -> None:
    """One way to run work in a child: `subprocess` and `multiprocessing` are imported in this room only."""
    root = Path(__file__).resolve().parents[3]
    rooms = [p for p in root.iterdir() if (p / "__init__.py").exists() and p.name != "tests"]
    found = set()
    for path in (p for room in rooms for p in room.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            if {"subprocess", "multiprocessing"} & {name.split(".")[0] for name in names}:
                found.add(str(path.relative_to(root)))
    assert found == {"common/processes/supervised.py", "common/processes/tree.py"}
