"""Work in a child process: whatever it is in, limits and interrupts end it, and nothing is left of it.

Real processes.  Nothing here depends on how fast they are: a child that would not end by itself has ended, or
the outer limit passes.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

OUTER = 120.0  # seconds; the limits themselves are under 3
SCRIPT = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
import itertools, os, signal, subprocess, threading, time
from pathlib import Path
from relucid.common.processes import forked
from relucid.common.processes.forked import answering, in_child, leftover, split
from relucid.common.processes.limits import Limits
folder = Path(sys.argv[2])

def say(text):
    print(text, flush=True)

{before}
ended = split(Limits({limits}))
if ended is not None:
    say(f"{{ended.how}} {{ended.number}}")
    os._exit(0)
{body}
"""
BUSY = {
    "a call into C": "any(itertools.repeat(False))",
    "a loop": "while True: pass",
    "a loop that swallows everything": "while True:\n    try:\n        while True: time.sleep(0.01)\n    except BaseException: pass",
    "a finally": "try:\n    while True: time.sleep(0.01)\nfinally:\n    while True: pass",
    "a thread that is waited for": "thread = threading.Thread(target=any, args=(itertools.repeat(False),))\nthread.start()\nthread.join()",
    "signals that are ignored": "for number in (signal.SIGINT, signal.SIGTERM): signal.signal(number, signal.SIG_IGN)\nwhile True: time.sleep(0.1)",
    "handlers that C took away": "for number in (signal.SIGINT, signal.SIGTERM): signal.signal(number, signal.SIG_DFL)\nwhile True: time.sleep(0.1)",
    "a library that ends in its own way": "import faulthandler\nsignal.signal(signal.SIGINT, lambda *_: os.abort())\nwhile True: time.sleep(0.1)",
    "a stop": "os.kill(os.getpid(), signal.SIGSTOP)\nwhile True: time.sleep(0.1)",
}
SOON = "time.monotonic() + 0.2"
NEVER = "time.monotonic() + 1000"


def start(folder: Path, body: str, limits: str = NEVER, before: str = "") -> subprocess.Popen[str]:
    code = SCRIPT.format(body=body, limits=limits, before=before)
    return subprocess.Popen(
        [sys.executable, "-c", code, json.dumps(sys.path), str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def run(folder: Path, body: str, limits: str = NEVER, before: str = "") -> list[str]:
    with start(folder, body, limits, before) as process:
        out = ended(process)
    assert process.returncode == 0
    return out.splitlines()


def line(process: subprocess.Popen[str]) -> str:
    """The next line that it says."""
    assert process.stdout is not None
    if not select.select([process.stdout], [], [], OUTER)[0]:
        process.kill()
        raise AssertionError("it says nothing")
    return process.stdout.readline().rstrip("\n")


def ended(process: subprocess.Popen[str]) -> str:
    """What else it says until it ends."""
    try:
        return process.communicate(timeout=OUTER)[0]
    except subprocess.TimeoutExpired:
        process.kill()  # and with it its child
        raise


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def gone(pid: int) -> bool:
    """Within the outer limit: who is killed with its parent needs a moment."""
    deadline = time.monotonic() + OUTER
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not alive(pid)


def test_the_child_goes_on_with_the_work(tmp_path: Path) -> None:
    assert run(tmp_path, "say(in_child())\nos._exit(7)") == ["True", "exited 7"]


@pytest.mark.parametrize("what", BUSY)
def test_the_limit_ends_it_whatever_it_is_in(what: str, tmp_path: Path) -> None:
    assert run(tmp_path, BUSY[what], SOON) == ["timeout 0"]


@pytest.mark.parametrize("what", BUSY)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupt_ends_it_whatever_it_is_in(what: str, number: int, tmp_path: Path) -> None:
    process = start(tmp_path, f"say(os.getpid())\n{BUSY[what]}")
    child = int(line(process))
    process.send_signal(number)
    out = ended(process)
    assert out == f"interrupted {int(number)}\n" and gone(child)


def test_who_is_interrupted_may_keep_what_it_has(tmp_path: Path) -> None:
    body = "try:\n    say('ready')\n    while True: time.sleep(0.01)\nexcept KeyboardInterrupt:\n    (folder / 'kept').write_text('all')\n    os._exit(130)"
    process = start(tmp_path, body, before="forked.INTERRUPTED = 1000")
    assert line(process) == "ready"
    process.send_signal(signal.SIGINT)
    assert ended(process) == "interrupted 2\n"
    assert (tmp_path / "kept").read_text() == "all"


def test_an_interrupt_of_the_terminal_reaches_the_child_once(tmp_path: Path) -> None:
    """A terminal interrupts parent and child, and the parent passes its own on: the clearing up is not
    disturbed by a second one.
    """
    body = """
try:
    say('ready')
    while True: time.sleep(0.01)
except KeyboardInterrupt:
    (folder / 'first').touch()
    while not (folder / 'go').exists(): time.sleep(0.01)
    (folder / 'kept').touch()
    os._exit(130)
"""
    process = start(tmp_path, body, before="forked.INTERRUPTED = 1000")
    assert line(process) == "ready"
    child = int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text())
    os.kill(child, signal.SIGINT)
    wait_for(tmp_path / "first")
    process.send_signal(signal.SIGINT)
    os.kill(child, signal.SIGINT)
    (tmp_path / "go").touch()
    assert ended(process) == "interrupted 2\n" and (tmp_path / "kept").exists()


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + OUTER
    while not path.exists():
        assert time.monotonic() < deadline, path
        time.sleep(0.01)


def test_who_interrupts_twice_does_not_wait(tmp_path: Path) -> None:
    body = "try:\n    say('ready')\n    while True: time.sleep(0.01)\nfinally:\n    say('clearing up')\n    while True: time.sleep(0.01)"
    process = start(tmp_path, body, before="forked.INTERRUPTED = 1000")
    assert line(process) == "ready"
    process.send_signal(signal.SIGINT)
    assert line(process) == "clearing up"
    process.send_signal(signal.SIGINT)
    assert ended(process) == "interrupted 2\n"


def test_the_memory_limit(tmp_path: Path) -> None:
    body = "kept = []\nwhile True:\n    kept.append(b'x' * (1 << 22))\n    time.sleep(0.01)"
    assert run(tmp_path, body, f"{NEVER}, 100") == ["memory 0"]


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGKILL, signal.SIGABRT])
def test_a_child_that_dies(number: int, tmp_path: Path) -> None:
    body = f"import resource\nresource.setrlimit(resource.RLIMIT_CORE, (0, 0))\nos.kill(os.getpid(), {int(number)})\ntime.sleep(100)"
    assert run(tmp_path, body) == [f"killed {int(number)}"]


FAMILY = """
sleeper = "import signal, time\\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\\ntime.sleep(1000)"
own_session = subprocess.Popen([sys.executable, "-c", sleeper], start_new_session=True, stdout=subprocess.DEVNULL)
middle = f"import subprocess, sys\\nprint(subprocess.Popen([sys.executable, '-c', {sleeper!r}], start_new_session=True, stdout=-3, stderr=-3).pid)"
orphan = subprocess.run([sys.executable, "-c", middle], capture_output=True, text=True).stdout.strip()
say(f"{own_session.pid} {orphan}")
"""


@pytest.mark.parametrize(
    "body", [BUSY["a call into C"], "while True: time.sleep(0.1)"], ids=["killed", "ended by itself"]
)
def test_nobody_below_it_is_left(body: str, tmp_path: Path) -> None:
    """Neither who has a session of its own, nor who has lost its parent, nor who ignores a polite end."""
    process = start(tmp_path, FAMILY + body)
    family = line(process).split()
    assert len(family) == 2 and all(alive(int(pid)) for pid in family)
    process.send_signal(signal.SIGINT)
    assert ended(process) == "interrupted 2\n"
    assert all(gone(int(pid)) for pid in family)


def test_the_child_dies_with_its_parent(tmp_path: Path) -> None:
    process = start(tmp_path, f"say(os.getpid())\n{BUSY['a call into C']}")
    child = int(line(process))
    process.kill()
    assert gone(child)
    process.communicate()


QUICK = "forked.LATE = forked.TIDY = 0.1"


def test_an_answer_is_told_however_long_that_takes(tmp_path: Path) -> None:
    """Whoever reads it may be slow: the parent is told first that the answer is there."""
    body = "answering()\nsay('one half')\ntime.sleep(1.5)\nsay('the other')\nos._exit(1)"
    assert run(tmp_path, body, "time.monotonic() + 0.5", QUICK) == ["one half", "the other", "exited 1"]


def test_an_answer_that_comes_at_the_last_moment_counts(tmp_path: Path) -> None:
    """After the child was asked to stop, and before it is killed."""
    body = "try:\n    while True: time.sleep(0.01)\nexcept KeyboardInterrupt:\n    answering()\n    time.sleep(1.5)\n    say('told')\n    os._exit(1)"
    assert run(tmp_path, body, SOON, "forked.TIDY = 1000\nforked.LATE = 0") == ["told", "exited 1"]


def test_once_an_answer_is_told_only_an_interrupt_ends_it(tmp_path: Path) -> None:
    process = start(tmp_path, f"answering()\nsay('ready')\n{BUSY['a call into C']}", SOON)
    assert line(process) == "ready"
    process.send_signal(signal.SIGINT)
    assert ended(process) == "interrupted 2\n"


def test_what_it_was_writing_is_removed(tmp_path: Path) -> None:
    body = """
with leftover(folder / "done"):
    (folder / "done").write_text("whole")
made = (folder / "part", folder / "scratch", folder / "odd\\nname")
with leftover(made[0]), leftover(made[1]), leftover(made[2]):
    made[0].write_text("half")
    made[1].mkdir()
    (made[1] / "inner").write_text("half")
    made[2].write_text("half")
"""
    assert run(tmp_path, f"{body}    any(itertools.repeat(False))", SOON) == ["timeout 0"]
    assert [p.name for p in tmp_path.iterdir()] == ["done"]


def test_a_link_is_removed_and_not_what_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "file").write_text("kept")
    body = "(folder / 'link').symlink_to(folder / 'theirs')\nwith leftover(folder / 'link'):\n    any(itertools.repeat(False))"
    assert run(tmp_path, body, SOON) == ["timeout 0"]
    assert [p.name for p in tmp_path.iterdir()] == ["theirs"] and (tmp_path / "theirs" / "file").exists()


def test_ignored_signals_stay_ignored(tmp_path: Path) -> None:
    """As under nohup."""
    before = "signal.signal(signal.SIGHUP, signal.SIG_IGN)"
    process = start(tmp_path, "say('ready')\nsys.stdin.readline()\nos._exit(5)", before=before)
    assert line(process) == "ready"
    process.send_signal(signal.SIGHUP)
    out = ended(process)
    assert out == "exited 5\n"


def test_time_in_which_both_were_stopped_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-Z, and a laptop that was closed: the child gets the rest of its time."""
    from relucid.common.processes import forked
    from relucid.common.processes.limits import Ended, Limits

    moments = iter([0.0, 0.5, 1000.5, 1000.9, 1001.2, 1003.0])  # when it looks; the limit is 1.5
    told: list[tuple[int, float]] = []
    now = [0.0]

    def clock() -> float:
        now[0] = next(moments, now[0] + 0.01)
        return now[0]

    monkeypatch.setattr(forked.time, "monotonic", clock)
    monkeypatch.setattr(forked.os, "kill", lambda pid, number: told.append((number, now[0])))
    monkeypatch.setattr(forked, "how_ended", lambda pid: Ended("exited") if told else None)
    monkeypatch.setattr(forked, "keep_orphans", lambda: None)
    monkeypatch.setattr(forked.os, "waitpid", lambda pid, options: (pid, 130 << 8))
    watch = forked._Watch(0, -1, Limits(1.5))
    monkeypatch.setattr(watch, "_hear", lambda seconds: None)
    assert watch.run() == Ended("timeout")
    assert [number for number, _ in told] == [signal.SIGTERM] and told[0][1] > 1002.0


def test_an_answer_that_was_on_its_way_when_the_child_was_frozen_counts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from relucid.common.processes import forked
    from relucid.common.processes.limits import Limits

    told: list[int] = []
    monkeypatch.setattr(forked.os, "kill", lambda pid, number: told.append(number))
    monkeypatch.setattr(forked, "_still", lambda pid: True)
    monkeypatch.setattr(forked, "kill_below", lambda pid: told.append(signal.SIGKILL))
    for how, last in (("timeout", signal.SIGCONT), ("interrupted", signal.SIGKILL)):
        watch = forked._Watch(0, -1, Limits(), how=how)  # type: ignore[arg-type]
        monkeypatch.setattr(watch, "_hear", lambda seconds, watch=watch: setattr(watch, "answering", True))
        watch._kill()
        assert told[-1] == last and (watch.how is None) == (how == "timeout")
