"""The result of a control: what a pruning method makes of random labels.

A method that fits random labels would fit anything.  The same method is run on the model's own labels, so
that two numbers can be compared.  `random_labels.py` runs it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Control:
    """What a pruning to random labels gave.

    Args:
        what: the parts that are pruned: "nodes" or "edges".
        parts: how many were kept.
        share: the share of the labels that the pruned model reached.
        chance: the share that one label alone reaches; None if it is not known.
        own_parts: as `parts`, after pruning to the model's own labels; None if that was not run.
        own_share: as `share`, after pruning to the model's own labels; None if that was not run.
    """

    what: str
    parts: int
    share: float
    chance: float | None = None
    own_parts: int | None = None
    own_share: float | None = None

    def line(self) -> str:
        """Describe the control to people."""
        kept = f"{self.parts} {self.what} and {percent(self.share)} of the labels"
        line = f"control, pruned to random labels: {kept}"
        if self.chance is not None:
            line += f" (one label always: {percent(self.chance)})"
        if self.own_share is not None:
            own = f"{self.own_parts} {self.what} and {percent(self.own_share)}"
            line += f"; in the same way to the model's own: {own}"
        return line

    def report(self) -> dict[str, float]:
        """Return the numbers as a node mask keeps them; `reported` reads them back."""
        named = {
            "control_nodes": self.parts,
            "control_accuracy": self.share,
            "control_chance": self.chance,
            "control_own_nodes": self.own_parts,
            "control_own_accuracy": self.own_share,
        }
        return {k: round(float(v), 6) for k, v in named.items() if v is not None}


def reported(report: Mapping[str, float]) -> Control | None:
    """Read the control in a node mask's report; None if there is none."""
    if "control_nodes" not in report or "control_accuracy" not in report:
        return None
    own = report.get("control_own_nodes")
    return Control(
        "nodes",
        int(report["control_nodes"]),
        report["control_accuracy"],
        report.get("control_chance"),
        None if own is None else int(own),
        report.get("control_own_accuracy"),
    )


def percent(share: float) -> str:
    """Write a share in percent; only all of something is 100 %."""
    return "100%" if share >= 1 else f"{min(share, 0.999):.1%}"
