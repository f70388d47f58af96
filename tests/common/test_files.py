"""Files are written whole or not at all, under names that nobody can guess, never through a link; and in one
place of the package.
"""

import ast
import errno
import gzip
import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from relucid.cli.main import main
from relucid.common import files
from relucid.common.errors import InputError
from relucid.common.files import replaced, write
from relucid.common.folders import check_writable, write_files
from relucid.verifiers.proof.writing import write_lines

PACKAGE = Path(__file__).parents[2]
CORPUS = Path(__file__).parents[1] / "corpus"
CLAIM = CORPUS / "count_sign_l3" / "claim.toml"


@pytest.fixture(params=["nameless", "named"], autouse=True)
def kind(request, monkeypatch):
    """Both ways of making a draft."""
    if request.param == "named":
        monkeypatch.setattr(files, "_nameless", lambda folder: None)
    return request.param


def names(folder):
    return sorted(p.name for p in folder.iterdir())


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_permissions_are_those_of_an_ordinary_file(umask, tmp_path):
    before = os.umask(umask)
    try:
        write(tmp_path / "new", "é")
        (tmp_path / "plain").write_text("x")
    finally:
        os.umask(before)
    assert (tmp_path / "new").read_bytes() == "é".encode()
    assert (
        stat.S_IMODE((tmp_path / "new").stat().st_mode)
        == stat.S_IMODE((tmp_path / "plain").stat().st_mode)
        == 0o666 & ~umask
    )
    for mode in (0o600, 0o640):
        (tmp_path / "new").chmod(mode)
        write(tmp_path / "new", b"again")
        assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == mode
    assert names(tmp_path) == ["new", "plain"]


def test_a_link_is_replaced_and_never_written_through(tmp_path):
    (tmp_path / "victim").write_text("mine")
    (tmp_path / "victim").chmod(0o600)
    for target in ("victim", "nothing", "link"):
        (tmp_path / "link").unlink(missing_ok=True)
        (tmp_path / "link").symlink_to(target if target != "link" else "victim")
        write(tmp_path / "link", "new")
        assert not (tmp_path / "link").is_symlink() and (tmp_path / "link").read_text() == "new"
        assert (tmp_path / "victim").read_text() == "mine" and names(tmp_path) == ["link", "victim"]


@pytest.mark.parametrize("what", ["folder", "pipe", "link to a folder", "link to a device", "device"])
def test_what_is_no_file_is_not_replaced(what, tmp_path):
    place = tmp_path / "place"
    if what == "folder":
        place.mkdir()
    elif what == "pipe":
        os.mkfifo(place)
    elif what == "device":
        place = Path("/dev/null")
    else:
        place.symlink_to(tmp_path if what == "link to a folder" else "/dev/null")
    before, mode = names(tmp_path), place.lstat().st_mode
    with pytest.raises(OSError, match="is a folder" if "folder" in what else "is not a regular file"):
        write(place, "x")
    with pytest.raises(InputError, match="is a folder" if "folder" in what else "is not a regular file"):
        check_writable(place.parent, (place.name,))
    with pytest.raises(InputError, match="is a folder" if "folder" in what else "is not a regular file"):
        write_files(place.parent, {place.name: "x"})
    assert names(tmp_path) == before and place.lstat().st_mode == mode


def test_a_name_that_is_there_already_is_not_used(tmp_path, monkeypatch):
    """Whoever guesses the name, and plants a link there, gets nothing."""
    (tmp_path / "victim").write_text("mine")
    (tmp_path / "x").write_text("old")
    monkeypatch.setattr(files.secrets, "token_hex", lambda size: "guessed")
    (tmp_path / ".relucid-guessed").symlink_to("victim")
    with pytest.raises(FileExistsError):
        write(tmp_path / "x", "new")
    assert (tmp_path / "victim").read_text() == "mine" and (tmp_path / "x").read_text() == "old"


def test_names_are_not_guessable_and_files_are_exclusive(tmp_path, monkeypatch, kind):
    """128 random bits, and flags that follow no link."""
    opened, linked, real_open, real_link = [], [], os.open, os.link
    monkeypatch.setattr(
        os,
        "open",
        lambda path, flags, *mode, **more: (
            opened.append((str(path), flags)) or real_open(path, flags, *mode, **more)
        ),
    )
    monkeypatch.setattr(
        os, "link", lambda source, name, **more: linked.append(str(name)) or real_link(source, name, **more)
    )
    for _ in range(10):
        write(tmp_path / "x", "1")
    used = [path for path, _ in opened] if kind == "named" else linked
    assert len(set(used)) == 10 and all(len(Path(u).name) == len(".relucid-") + 32 for u in used)
    wanted = os.O_EXCL | os.O_CREAT | os.O_NOFOLLOW if kind == "named" else os.O_TMPFILE
    assert len(opened) == 10 and all(flags & wanted == wanted for _, flags in opened)


@pytest.mark.parametrize(
    "error",
    [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt(), ValueError()],
    ids=["full", "interrupt", "bug"],
)
@pytest.mark.parametrize("at", ["fsync", "replace", "block"])
def test_a_failure_leaves_what_was_there(at, error, tmp_path, monkeypatch):
    def fail(*given):
        raise error

    write(tmp_path / "x", "old")
    if at != "block":
        monkeypatch.setattr(os, at, fail)
    with pytest.raises(type(error)), replaced(tmp_path / "x") as draft:
        draft.file.write(b"new")
        if at == "block":
            fail()
    assert names(tmp_path) == ["x"] and (tmp_path / "x").read_text() == "old"


LIMITED = """
import resource, signal, sys
from pathlib import Path
from relucid.common.files import write
from relucid.common import files
from relucid.verifiers.proof.writing import write_pieces
if {named}: files._nameless = lambda folder: None
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
for call in (lambda p: write(p, b"x" * 5000), lambda p: write_pieces(p, [b"x" * 3000] * 9)):
    try:
        call(Path(sys.argv[1]))
    except OSError as error:
        print(error.errno)
"""


def test_a_disk_without_room(tmp_path, kind):
    """A real one, as far as a process can have it: no file may be over 1000 bytes."""
    write(tmp_path / "x", "old")
    done = subprocess.run(
        [sys.executable, "-c", LIMITED.format(named=kind == "named"), tmp_path / "x"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert (
        done.stdout.split() == [str(errno.EFBIG)] * 2
        and names(tmp_path) == ["x"]
        and (tmp_path / "x").read_text() == "old"
    )


def test_a_process_that_is_killed_leaves_nothing(tmp_path, kind):
    if kind == "named":
        return  # a name stays where the file system has no files without one
    script = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom relucid.common.files import replaced\n"
        "with replaced(Path(sys.argv[1])) as draft:\n    draft.file.write(b'x' * 10**6)\n    draft.settle()\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, tmp_path / "x"], check=False)
    assert done.returncode == -signal.SIGKILL and names(tmp_path) == []


def test_where_a_file_cannot_get_a_name_it_is_copied(tmp_path, monkeypatch):
    def refuse(*given, **more):
        raise OSError(errno.EXDEV, "no")

    monkeypatch.setattr(os, "link", refuse)
    write(tmp_path / "x", b"1" * 100_000)
    assert (tmp_path / "x").read_bytes() == b"1" * 100_000 and names(tmp_path) == ["x"]


def test_what_was_settled_can_be_read_before_it_has_its_place(tmp_path):
    seen = []
    write_lines(
        tmp_path / "p.gz",
        [{"a": 1}],
        lambda part: seen.append((gzip.decompress(part.read_bytes()), (tmp_path / "p.gz").exists())),
    )
    assert seen == [(b'{"a":1}\n', False)] and names(tmp_path) == ["p.gz"]


def test_a_long_name(tmp_path):
    write(tmp_path / ("x" * 255), "1")
    assert names(tmp_path) == ["x" * 255]


def test_commands_replace_links(tmp_path, capsys, kind):
    """Proofs, checkpoints, results, pictures, dumps: whatever a command writes."""
    if kind == "named":
        return
    victim = tmp_path / "victim"
    victim.write_text("mine")
    out = tmp_path / "out"
    out.mkdir()
    for name in (
        "proof",
        "x.svg",
        "surrogate.onnx",
        "program.py",
        "claim.toml",
        "result.json",
        "m.json",
        "again",
    ):
        (out / name).symlink_to(victim)
    function = tmp_path / "mine.py"
    function.write_text("vocabulary = ['a', 'b']\ndef last(ids):\n    return ids[:, -1]\n")
    (tmp_path / "t.toml").write_text(
        '[domain]\ntokens = ["a", "b"]\nlength = 3\n[decision]\nlabels = ["a", "b"]\n'
    )
    assert main(["prove", str(CLAIM), "--proof", str(out / "proof")]) == 0
    assert main(["show", "quote_closing", "--no-run", "--draw", str(out / "x.svg")]) == 0
    assert main(["distill", f"{function}:last", "--domain", str(tmp_path / "t.toml"), "--out", str(out)]) == 0
    (tmp_path / "dump").symlink_to(out)
    assert main(["prove", str(CLAIM), "--backends", "z3-bv", "--dump", str(tmp_path / "dump")]) == 2
    os.mkfifo(tmp_path / "pipe")
    for place in ("/dev/null", str(tmp_path / "pipe")):
        assert main(["prove", str(CLAIM), "--proof", place]) == 2
        assert "is not a regular file" in capsys.readouterr().err
    assert victim.read_text() == "mine" and stat.S_ISCHR(os.stat("/dev/null").st_mode)
    assert [name for name in names(out) if not (out / name).is_symlink()] == [
        "claim.toml",
        "program.py",
        "proof",
        "result.json",
        "surrogate.onnx",
        "x.svg",
    ]
    assert json.loads((out / "result.json").read_text())["verdict"] == "proved" and names(tmp_path) == [
        "dump",
        "mine.py",
        "out",
        "pipe",
        "t.toml",
        "victim",
    ]


def test_one_place_of_the_package_writes_files(kind):
    """Everything else goes through it, but for what lies in a new folder of its own, and lists that grow."""
    own_folder = {
        "verifiers/race/dump.py",
        "verifiers/race/artefacts.py",
        "verifiers/proof/words/positions_subject.py",
        "experiments/convolutions.py",
        "experiments/rivals.py",
        "verifiers/backends/shared/programs/cadical_dimacs.py",
    }
    known = {
        *((name, "writes") for name in own_folder),
        ("cli/main.py", "NamedTemporaryFile"),  # exclusive, with a random name
        ("verifiers/race/dump.py", "rename"),  # the folder
        ("benchmarks/tokens.py", "rename"),  # the folder
        ("benchmarks/results.py", "appends"), ("experiments/circuits.py", "appends"), ("experiments/rivals.py", "appends"),
        ("common/processes/inside.py", "writes"),  # /proc
        ("common/streams.py", "writes"),  # the null device
        ("common/files.py", "replace"),
    }  # fmt: skip
    found = set()
    for path in PACKAGE.rglob("*.py"):
        name = str(path.relative_to(PACKAGE))
        if name.split("/")[0] in ("tests", ".venv", "build", "docs"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            called = ast.unparse(node.func)
            last = called.split(".")[-1]
            modes = [
                a.value
                for a in (*node.args, *(k.value for k in node.keywords))
                if isinstance(a, ast.Constant) and isinstance(a.value, str)
            ]
            if last in ("write_text", "write_bytes", "savetxt", "copyfile", "copy2", "copytree"):
                found.add((name, "writes"))
            elif last in ("mkstemp", "mktemp", "NamedTemporaryFile") or called in (
                "os.replace",
                "os.rename",
                "shutil.move",
                "place.rename",
            ):
                found.add((name, last))
            elif last in ("open", "fdopen") and called != "os.open" and name != "common/files.py":
                found |= {
                    (name, "appends" if "a" in m else "writes")
                    for m in modes
                    if m in ("w", "wb", "x", "xb", "a", "ab", "w+b", "r+b", "wt", "at")
                }
    assert found == known
