"""Results are written whole or not at all: full disks, interrupts, files in the way, the second run."""

from __future__ import annotations

import errno
import os
import signal
from pathlib import Path

import pytest
from relucid.common.errors import InputError
from relucid.common.folders import check_writable, write_files


def tree(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_writes_and_overwrites(tmp_path: Path) -> None:
    write_files(tmp_path / "a" / "b", {"x.txt": "one", "y.bin": b"\x00"})
    write_files(tmp_path / "a" / "b", {"x.txt": "two"})
    assert tree(tmp_path) == {"a/b/x.txt": b"two", "a/b/y.bin": b"\x00"}


@pytest.mark.parametrize(
    "error",
    [OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), KeyboardInterrupt()],
    ids=["full", "interrupt"],
)
def test_a_failure_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    write_files(tmp_path / "out", {"x.txt": "one"})
    calls = []

    def fail_on_the_second(handle: int) -> None:
        calls.append(handle)
        if len(calls) == 2:
            raise error

    monkeypatch.setattr(os, "fsync", fail_on_the_second)
    with pytest.raises(InputError if isinstance(error, OSError) else KeyboardInterrupt) as caught:
        write_files(tmp_path / "out", {"x.txt": "two", "y.txt": "three"})
    assert tree(tmp_path) == {"out/x.txt": b"one"}
    if isinstance(error, OSError):
        assert "No space left on device" in str(caught.value)


def test_a_failure_leaves_no_new_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError):
        write_files(tmp_path / "new" / "out", {"x.txt": "one"})
    assert not (tmp_path / "new").exists()


def test_a_file_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("here")
    for folder in (tmp_path / "file", tmp_path / "file" / "deeper"):
        with pytest.raises(InputError, match="is a file, not a folder"):
            check_writable(folder)
        with pytest.raises(InputError):
            write_files(folder, {"x": "1"})
    assert tree(tmp_path) == {"file": b"here"}


def test_new_folders_are_not_made_by_the_check(tmp_path: Path) -> None:
    check_writable(tmp_path / "a" / "b")
    assert not (tmp_path / "a").exists()


def test_a_link_to_nothing_is_found_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "out").symlink_to(tmp_path / "nowhere")
    for folder in (tmp_path / "out", tmp_path / "out" / "deeper"):
        with pytest.raises(InputError, match="is a link to nothing"):
            check_writable(folder)


def test_a_folder_in_the_way_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "y.txt").mkdir()
    (tmp_path / "x.txt").write_text("one")
    with pytest.raises(InputError, match=r"y\.txt in it is a folder"):
        check_writable(tmp_path, ("x.txt", "y.txt"))
    with pytest.raises(InputError, match=r"y\.txt is a folder"):
        write_files(tmp_path, {"x.txt": "two", "y.txt": "two"})
    assert tree(tmp_path) == {"x.txt": b"one"}


def test_an_interrupt_between_two_renames_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files of two runs are never mixed."""
    write_files(tmp_path, {"x.txt": "one", "y.txt": "one"})
    rename = os.replace

    def rename_and_interrupt(source: str, target: Path) -> None:
        rename(source, target)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(os, "replace", rename_and_interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_files(tmp_path, {"x.txt": "two", "y.txt": "two"})
    assert tree(tmp_path) == {"x.txt": b"two", "y.txt": b"two"}
