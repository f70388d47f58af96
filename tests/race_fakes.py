"""Scripted backends for the race's tests: each misbehaves in one way.  Importable in a child, synchronised by
files and pipes.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from relucid.common.processes import inside
from relucid.common.processes.tree import snapshot
from relucid.models.claims.decision import Decision
from relucid.models.claims.domain import Domain
from relucid.models.claims.word_claim import WordClaim
from relucid.models.network.network import feed_forward
from relucid.models.program.program import Program
from relucid.verifiers.attempts import Attempt
from relucid.verifiers.evidence import Settled
from relucid.verifiers.race.backend import Capabilities


@dataclass(frozen=True)
class Fake:
    """Does `script` in the child; `arguments` and `folder` are the script's."""

    name: str
    script: str
    arguments: tuple = ()
    folder: str = ""
    trust: str = "exact"
    in_process: bool = False
    version: str | None = "1.0"
    misfit: str | None = None

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(self.trust, self.in_process)  # type: ignore[arg-type]

    def available(self) -> str | None:
        return self.version

    def unfit(self, claim) -> str | None:
        return self.misfit

    def solve(self, claim, budget, progress) -> Attempt:
        return SCRIPTS[self.script](self, claim, budget, progress)

    def file(self, name: str) -> Path:
        return Path(self.folder) / name

    def note(self, name: str, text: object = "") -> None:
        """Leave a file, whole at once."""
        part = self.file(f"{name}.{os.getpid()}.part")
        part.write_text(str(text))
        part.rename(self.file(name))


def wait_for(path: Path) -> None:
    while not path.exists():
        time.sleep(0.005)


def say(fake, outcome, **more):
    return Attempt(fake.name, outcome, **more)


def everything(claim) -> tuple[Settled, ...]:
    return (Settled(None, None, claim.domain_size, "word of honour"),)


def prove(fake, claim, budget, progress):
    return say(fake, "proved", evidence=everything(claim))


def prove_after(fake, claim, budget, progress):
    """Once the file named in `arguments` is there."""
    wait_for(fake.file(fake.arguments[0]))
    return say(fake, "proved", evidence=everything(claim))


def refute(fake, claim, budget, progress):
    """With the words in `arguments`."""
    return say(fake, "refuted", words=fake.arguments)


def answer(fake, claim, budget, progress):
    """Reports its process, then answers as `arguments` says; waits for the file that the third of
    them names.
    """
    outcome, words, *gate = fake.arguments
    for name in gate:
        wait_for(fake.file(name))
    inside.LINGER_SECONDS = 0.0  # ends once it has answered, so that a test can see that it has
    fake.note(f"{fake.name}.pid", os.getpid())
    return say(fake, outcome, words=words, evidence=everything(claim) if outcome == "proved" else ())


def kill_itself(fake, claim, budget, progress):
    os.kill(os.getpid(), signal.SIGKILL)


def segfault(fake, claim, budget, progress):
    os.kill(os.getpid(), signal.SIGSEGV)


def exit_silently(fake, claim, budget, progress):
    os._exit(0)


def raise_error(fake, claim, budget, progress):
    raise RuntimeError("the solver\nis confused")


def hang(fake, claim, budget, progress):
    """Ignores every polite signal."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    fake.note(f"{fake.name}.pid", os.getpid())
    progress("hanging")
    threading.Event().wait()


def hang_with_grandchildren(fake, claim, budget, progress):
    """One in its group, one in a session of its own, one a daemon whose parent is gone; all
    ignore SIGTERM.
    """
    stay = "signal.signal(15, signal.SIG_IGN); print(os.getpid(), flush=True); signal.pause()"
    daemon = f"if os.fork(): os._exit(0)\nos.setsid()\n{stay}"
    pids = []
    for code, session in ((stay, False), (stay, True), (daemon, False)):
        command = [sys.executable, "-S", "-c", f"import os, signal\n{code}"]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=session)
        pids.append(child.stdout.readline().decode().strip())
    fake.note(f"{fake.name}.pids", " ".join(pids))
    if fake.arguments:
        return say(fake, *fake.arguments, evidence=everything(claim))
    return hang(fake, claim, budget, progress)


def eat_memory(fake, claim, budget, progress):
    kept = []
    while True:
        kept.append(bytearray(os.urandom(1 << 16)) * 64)


def eat_memory_in_grandchild(fake, claim, budget, progress):
    """In a session of its own, while the worker itself stays small."""
    code = "kept = []\nwhile True: kept.append(b'x' * (1 << 20))"
    subprocess.Popen([sys.executable, "-S", "-c", code], start_new_session=True).wait()


def print_garbage(fake, claim, budget, progress):
    """Megabytes on both streams, also on the raw descriptors; then dies."""
    for _ in range(64):
        os.write(1, b"\x00\xff{]" * 16384)
        os.write(2, b"s UNSATISFIABLE\nproved\n" * 1024)
    os.write(2, b"last words\x1b[31m\n")
    os._exit(7)


def write_to_every_descriptor(fake, claim, budget, progress):
    """Garbage on the answer pipe itself."""
    for fd in range(3, 64):
        try:
            os.write(fd, fake.arguments[0])
        except OSError:
            continue
    threading.Event().wait()


def chatter(fake, claim, budget, progress):
    """Reports progress and prints as fast as it can, for ever."""
    lines = {1: b"noise\n" * 1000, 2: b"noise\n" * 1000} | {
        fd: b'{"progress": "chatter"}\n' * 1000 for fd in range(3, 16)
    }
    fake.note(f"{fake.name}.pid", os.getpid())
    while True:
        for fd, line in list(lines.items()):
            try:
                os.write(fd, line)
            except OSError:
                del lines[fd]


def close_everything(fake, claim, budget, progress):
    """Closes its pipes and lives on."""
    fake.note(f"{fake.name}.pid", os.getpid())
    os.closerange(0, 64)
    threading.Event().wait()


def huge_answer(fake, claim, budget, progress):
    return say(fake, "proved", detail="x" * (8 << 20))


def nonsense(fake, claim, budget, progress):
    return fake.arguments[0]


def show_budget(fake, claim, budget, progress):
    return say(fake, "unknown", detail=f"seed={budget.seed} workers={budget.workers} hash={hash('relucid')}")


def many_claim(
    length: int = 3, more_than: float = 1.5, *, shortest: int | None = None, where: str | None = None
) -> WordClaim:
    """At least two of the tokens are "a"; the network says more than `more_than` are: they agree for 1 <=
    more_than < 2.
    """
    shortest = length if shortest is None else shortest
    pad = None if shortest == length else "<pad>"
    domain = Domain(("a", "b"), shortest, length, pad, program(where) if where else None)
    weights = np.tile([1.0, 0.0] + [0.0] * (pad is not None), length)[None, :]
    return WordClaim(
        feed_forward([(weights, np.array([-more_than]))]),
        program(MANY),
        domain,
        Decision("sign", (False, True)),
    )


MANY = """
def many(tokens):
    n = 0
    for t in tokens:
        if t == "a":
            n += 1
    return n >= 2
"""


def program(source: str) -> Program:
    return Program.from_source(source)


def alive(pid: int) -> bool:
    info = snapshot().get(pid)
    return info is not None and not info.zombie


def children() -> list[int]:
    return [p for p, info in snapshot().items() if info.parent == os.getpid()]


SCRIPTS = {
    name: value
    for name, value in list(globals().items())
    if callable(value) and getattr(value, "__module__", "") == __name__
}
REGISTERED = Fake("outsider", "prove")
