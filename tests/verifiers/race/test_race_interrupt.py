"""Ctrl-C and sudden death of the parent: the children are gone either way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from relucid.verifiers.race.backend import Budget
from relucid.verifiers.race.race import prove_claim

sys.path.insert(0, str(Path(__file__).parents[2]))
from race_fakes import Fake, alive, children, many_claim

PARENT = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from race_fakes import Fake, many_claim
from relucid.verifiers.race.backend import Budget
from relucid.verifiers.race.race import prove_claim
try:
    prove_claim(many_claim(), registry=[Fake("stuck", "hang", folder=sys.argv[2])], budget=Budget(60.0, 1000, 1))
except KeyboardInterrupt:
    sys.exit(130)
"""


def test_an_interrupted_race_leaves_nobody(tmp_path):
    """In a notebook the parent lives on."""

    def interrupt(text: str) -> None:
        if text == "stuck: hanging":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prove_claim(
            many_claim(),
            registry=[Fake("stuck", "hang", folder=str(tmp_path))],
            budget=Budget(30.0, 1000, 1),
            progress=interrupt,
        )
    assert not alive(int((tmp_path / "stuck.pid").read_text()))
    assert children() == []


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)])
def test_no_child_outlives_the_parent(tmp_path, number, status):
    import json

    parent = subprocess.Popen([sys.executable, "-c", PARENT, json.dumps(sys.path), str(tmp_path)])
    file = tmp_path / "stuck.pid"
    deadline = time.monotonic() + 20
    while not file.exists():
        assert parent.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    child = int(file.read_text())
    assert alive(child)
    os.kill(parent.pid, number)
    assert parent.wait(timeout=20) == status
    deadline = time.monotonic() + 10
    while alive(child) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not alive(child)


def test_an_interrupt_while_a_child_starts_does_not_lose_it(tmp_path, monkeypatch):
    """Ctrl-C in the very moment when the process exists and nobody has noted it."""
    started = []
    popen = subprocess.Popen

    def interrupted(*arguments, **options):
        process = popen(*arguments, **options)
        started.append(process)
        signal.raise_signal(signal.SIGINT)
        return process

    monkeypatch.setattr(subprocess, "Popen", interrupted)
    with pytest.raises(KeyboardInterrupt):
        prove_claim(
            many_claim(), registry=[Fake("stuck", "hang", folder=str(tmp_path))], budget=Budget(30.0, 1000, 1)
        )
    assert len(started) == 1 and not alive(started[0].pid)
    assert children() == []
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
