"""Other verifiers beside `relucid verify` on a folder with an instances.csv: whole processes, in turns.

`python -m relucid.experiments.rivals FOLDER TABLE.csv SECONDS NAME=COMMAND ...`: in a command, {net}, {spec},
{seconds} and {answer} stand for the files (unpacked), the limit, and a file that it may write its answer to;
otherwise what it prints is read.  Instance by instance in turns, so that whatever else the machine does hits
all alike.  Processor seconds are kept beside wall time.  A run that was stopped goes on.
"""

from __future__ import annotations

import csv
import gzip
import re
import shlex
import sys
import tempfile
import time
from pathlib import Path

from ..benchmarks.instances import Instance, instances, there
from ..common.processes.limits import Ended, Limits
from ..common.processes.supervised import supervised

# a tool's word -> the competition's
WORDS = {
    "holds": "unsat",
    "unsat": "unsat",
    "violated": "sat",
    "sat": "sat",
    "timeout": "timeout",
}
OURS = f"relucid={shlex.quote(sys.executable)} -P -m relucid verify {{net}} {{spec}} --timeout {{seconds}}"
GRACE_SECONDS = 5.0  # after the limit
COLUMNS = ("network", "property", "tool", "word", "seconds", "processor")


def answered(text: str) -> str:
    """Return the competition's word in what a tool wrote."""
    found = re.findall(r"\b(?:" + "|".join(WORDS) + r")\b", text.lower())
    return WORDS[found[0]] if found else "unknown"


def run_one(command: str, folder: Path, instance: Instance, seconds: float) -> tuple[str, float, float]:
    """Run a tool once.  Returns its word, wall seconds and processor seconds."""
    with tempfile.TemporaryDirectory() as place:
        files = {"seconds": f"{seconds:g}", "answer": str(Path(place) / "answer.txt")}
        for key, name in (("net", instance.network), ("spec", instance.stated)):
            source = there(folder / name)
            data = gzip.decompress(source.read_bytes()) if source.suffix == ".gz" else source.read_bytes()
            target = Path(place) / Path(name).name
            target.write_bytes(data)
            files[key] = str(target)
        words = [w.format(**files) for w in shlex.split(command)]
        with supervised(words, folder=Path(place)) as child:
            lines = list(child.messages(Limits(time.monotonic() + seconds + GRACE_SECONDS)))
        word = "timeout" if child.ended == Ended("timeout") else ""
        text = b"\n".join([*lines, child.unfinished]).decode(errors="replace") + child.printed
        answer = Path(files["answer"])
        word = word or answered(answer.read_text(encoding="utf-8") if answer.exists() else text)
    return word, round(child.seconds, 3), round(child.cpu_seconds, 3)


def main(folder: Path, table: Path, seconds: float, tools: list[str]) -> None:
    commands = dict(tool.split("=", 1) for tool in (OURS, *tools))
    done: list[dict[str, str]] = list(csv.DictReader(table.open(encoding="utf-8"))) if table.exists() else []
    known = {(r["network"], r["property"], r["tool"]) for r in done}
    with table.open("a", newline="", encoding="utf-8") as out:
        writer = csv.DictWriter(out, COLUMNS)
        if not done:
            writer.writeheader()
        for instance in instances(folder):
            for tool, command in commands.items():
                if (instance.network, instance.stated, tool) in known:
                    continue
                word, wall, spent = run_one(command, folder, instance, min(seconds, instance.timeout))
                row = dict(
                    zip(
                        COLUMNS,
                        (instance.network, instance.stated, tool, word, f"{wall}", f"{spent}"),
                        strict=True,
                    )
                )
                writer.writerow(row)
                out.flush()
                done.append(row)
    for tool in commands:
        rows = [r for r in done if r["tool"] == tool]
        decided = sum(r["word"] in ("sat", "unsat") for r in rows)
        wall, spent = (sum(float(r[key]) for r in rows) for key in ("seconds", "processor"))
        print(f"{tool}: {decided} of {len(rows)} decided, {wall:.1f} s, {spent:.1f} s of processors")
    by_question: dict[tuple[str, str], set[str]] = {}
    for r in done:
        if r["word"] in ("sat", "unsat"):
            by_question.setdefault((r["network"], r["property"]), set()).add(r["word"])
    for question in (q for q, words in by_question.items() if len(words) > 1):
        print(f"they contradict each other: {' '.join(question)}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3]), sys.argv[4:])
