"""What `relucid show --json` prints: claims, networks and circuits as plain data.

These are the facts of `reports/console_show.py`, for scripts (docs/reference/json.md).  Sizes of domains are
decimal strings, because they have no bound.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..common.errors import InputError
from ..common.text import decimal, number, rational
from ..models.claims.domain import Domain
from ..models.claims.task import Task, load_task
from ..models.claims.word_claim import WordClaim
from ..models.network.network import Network
from ..models.program.program import Program

if TYPE_CHECKING:
    from ..models.circuits.attribution.graph import AttributionGraph
    from ..models.circuits.circuit import Circuit
    from ..models.circuits.picture.graph import CircuitGraph
    from ..models.circuits.pruning.faithfulness import Faithfulness
    from ..pipeline.trained import PruningResult, TrainingResult


def claim_json(claim: WordClaim, samples: int) -> dict[str, Any]:
    """Return a claim as data: its parts with digests, inputs per label, warnings, and sample inputs."""
    from ..verifiers.race.conclude import vacuity

    domain, decision = claim.domain, claim.decision
    shares = claim.language.count_by_label(len(decision.labels))
    words = sample_words(claim, samples) if samples else []
    return {
        "kind": "claim",
        "digest": claim.digest,
        "network": network_sizes(claim.network if claim.comparison is None else claim.comparison.network),
        "network_b": None if claim.comparison is None else network_sizes(claim.comparison.network_b),
        "program": program_json(claim.program) if claim.comparison is None else None,
        "domain": domain_json(domain),
        "decision": _decision(claim),
        "domain_size": decimal(claim.domain_size),
        "label_sizes": [decimal(n) for n in shares],
        "warnings": list(vacuity(claim)),
        "samples": [{"tokens": list(domain.unpadded(word)), **_said(claim, word)} for word in words],
    }


def domain_json(domain: Domain) -> dict[str, Any]:
    """Return a domain as data."""
    return {
        "tokens": list(domain.tokens),
        "length": [domain.min_length, domain.max_length],
        "pad": domain.pad,
        "where": program_json(domain.where) if domain.where else None,
        "prefix": list(domain.prefix),
        "suffix": list(domain.suffix),
        **({} if domain.order is None else {"order": list(domain.order)}),
        "digest": domain.digest,
    }


def _decision(claim: WordClaim) -> dict[str, Any]:
    decision = claim.decision if claim.comparison is None else claim.comparison.decision
    if decision is None:
        assert claim.comparison is not None and claim.comparison.epsilon is not None
        return {"kind": "within", "epsilon": rational(claim.comparison.epsilon)}
    return {"kind": decision.kind, "labels": list(decision.labels)}


def _said(claim: WordClaim, word: Any) -> dict[str, Any]:
    if claim.comparison is None:
        network = claim.decision.labels[int(claim.network_labels(word.reshape(1, -1))[0])]
        return {"network_label": network, "program_label": claim.program_label(claim.domain.unpadded(word))}
    one, other = claim.comparison.outputs_on(claim.domain.one_hot(word.reshape(1, -1)))
    return {"network_label": one.label, "program_label": None, "network_b_label": other.label}


def network_json(path: Path) -> dict[str, Any]:
    """Return an ONNX file as data, and whether float32 computes it exactly.  It is read without a domain."""
    from ..models.network.float32 import exact_in_float32
    from ..models.network.head import Wanted
    from ..models.onnx.reader import load_onnx

    network = load_onnx(path, wanted=Wanted())
    report = exact_in_float32(network)
    head = {"head": list(network.head.operators)} if network.head is not None else {}
    return {
        "kind": "network",
        **network_sizes(network),
        **head,
        "exact_in_float32": report.ok,
        "rounding": None if report.ok else report.reason,
    }


@dataclass(frozen=True)
class ShowRequest:
    """What to show of a circuit.

    where: a folder, file or shipped name (`models/circuits/load.py`).
    mask: which of its nodes to keep.
    domain: a claim file with the domain to run it on; None: its own, if it has one.
    draw: where to write a picture.
    ablation: what stands in for the values that the mask removes.
    run: whether to run it; else it is only read.
    run_code: whether Python code that comes with the circuit may run.
    seed: of the trials that measure how faithful it is.
    """

    where: str
    mask: Path | None = None
    domain: Path | None = None
    draw: Path | None = None
    ablation: str | None = None
    run: bool = True
    run_code: bool = False
    seed: int = 0


@dataclass(frozen=True)
class CircuitView:
    """What there is to say about a circuit, or about an attribution graph, which is none."""

    circuit: Circuit | None
    graph: AttributionGraph | None
    faithful: Faithfulness | None
    drawn: Path | None
    why_not_run: str = ""


def view_circuit(asked: ShowRequest, progress: Callable[[str], None] = lambda text: None) -> CircuitView:
    """Load a circuit, measure how faithful it is on its domain, and draw it; the picture is written here.

    Raises InputError if something that was asked for cannot be done for this circuit.
    """
    from ..models.circuits.attribution.graph import NOT_EXECUTABLE
    from ..models.circuits.attribution.read import is_attribution_graph, read_attribution_graph
    from ..models.circuits.json_file import read_json
    from ..models.circuits.load import load_circuit
    from ..models.circuits.own_task import own_task
    from ..models.circuits.pruning.faithfulness import faithfulness
    from ..models.circuits.teacher import LARGEST_DOMAIN
    from ..models.claims.language import build_language

    where, mask, domain, draw = asked.where, asked.mask, asked.domain, asked.draw
    path = Path(where)
    kind = "" if draw is None else draw.suffix.removeprefix(".").lower()
    if draw is not None:
        from ..common.folders import check_writable
        from ..models.apart import check_apart, circuit_files
        from ..models.circuits.picture.drawing import FORMATS

        if kind not in FORMATS:
            raise InputError(
                "--draw", f"{draw} is no kind of picture", f"its name ends in .{' or .'.join(FORMATS)}"
            )
        check_writable(draw.parent, (draw.name,))
        check_apart([("--draw", draw)], circuit_files(where, mask, domain))
    raw = read_json(path) if path.suffix == ".json" and path.is_file() else None
    attribution = read_attribution_graph(path, raw) if is_attribution_graph(raw) else None
    circuit = None if attribution is not None else load_circuit(where, mask, asked.run_code)
    if attribution is not None and (domain or mask or asked.ablation):
        raise InputError(
            where, NOT_EXECUTABLE, f"leave out {'--domain' if domain else '--mask' if mask else '--ablation'}"
        )
    faithful, why_not, task = None, "", None
    if circuit is not None:
        task = load_task(domain) if domain is not None else own_task(where, mask, circuit.vocabulary)
        if asked.ablation is not None:
            from ..models.circuits.pruning.ablation import ablated

            if task is None:
                raise InputError("--ablation", "what stands in is taken over a domain", "give --domain, too")
            circuit = ablated(circuit, task.domain, asked.ablation)
        if task is None:
            why_not = "not run: it brings no domain of its own; --domain FILE says how faithful it is"
        elif not asked.run:
            why_not = "not run"
        elif domain is None and (size := build_language(task.domain, None, None).size) > LARGEST_DOMAIN:
            why_not = f"not run: its domain has {number(size)} inputs, over {number(LARGEST_DOMAIN)}"
        else:
            faithful = faithfulness(circuit, task.domain, task.decision.labels, asked.seed, progress)
    if draw is not None:
        progress("drawing")
        _draw(where, attribution.graph if attribution else circuit_graph(circuit, task), draw, kind)
    return CircuitView(circuit, attribution, faithful, draw, why_not)


def circuit_graph(circuit: Any, task: Task | None = None) -> CircuitGraph | None:
    """Return the graph to draw, with the words of the task; None if nothing is known of the inside."""
    if not hasattr(circuit, "graph"):
        return None
    if task is None:
        return circuit.graph()  # type: ignore[no-any-return]
    domain = task.domain
    words = (*domain.tokens, *domain.prefix, *domain.suffix)
    return circuit.graph(words, task.decision.labels)  # type: ignore[no-any-return]


def _draw(where: str, graph: CircuitGraph | None, path: Path, kind: str) -> None:
    from ..common.folders import write_files
    from ..models.circuits.picture.drawing import draw

    if graph is None:
        raise InputError("--draw", f"nothing is known of the inside of {where}", "leave it out")
    write_files(path.parent, {path.name: draw(graph, kind)})


def circuit_json(view: CircuitView) -> dict[str, Any]:
    """Return a circuit's size and origin, its vocabulary, and how faithful it is if it was run."""
    if view.circuit is None:
        assert view.graph is not None
        return {"kind": "attribution graph", **asdict(view.graph)}
    mask = getattr(view.circuit, "mask", None)
    return {
        "kind": "circuit",
        "circuit": asdict(view.circuit.summary()),
        "vocabulary": list(view.circuit.vocabulary),
        "pruning": getattr(mask, "report", {}),
        "faithfulness": None if view.faithful is None else asdict(view.faithful),
    }


def trained_json(result: TrainingResult) -> dict[str, Any]:
    """What `relucid train` tells."""
    return {"kind": "trained", **asdict(result), "out": str(result.out)}


def pruned_json(result: PruningResult, other: PruningResult | None = None) -> dict[str, Any]:
    """Return what `relucid prune` found, `compared` with another model that was pruned too."""
    return {
        "kind": "pruned",
        "task": result.task,
        "summary": asdict(result.summary),
        "inputs": result.inputs,
        "report": result.pruning.mask.report,
        "out": str(result.out),
        "compared": None if other is None else pruned_json(other),
    }


def network_sizes(network: Network) -> dict[str, Any]:
    """Return a network's name, digest and sizes as data."""
    return {
        "name": network.name,
        "digest": network.digest,
        "encoding": network.encoding,
        "inputs": network.input_size,
        "outputs": network.output_size,
        "relus": network.relu_count,
    }


def program_json(program: Program) -> dict[str, Any]:
    """Return a program as data."""
    return {"name": program.name, "origin": program.origin, "text": program.text, "digest": program.digest}


def sample_words(claim: WordClaim, count: int) -> list[Any]:
    """Return sample words: the first ones of each label in turn, so that every label that occurs is shown."""
    streams = []
    for label in range(len(claim.decision.labels)):
        part = claim.language.restricted(label)
        if not part.empty:
            words, _ = next(part.words(batch=max(count, 1)))
            step = max(1, len(words) // count)
            streams.append(list(words[::step][:count]))
    mixed = [stream[i] for i in range(count) for stream in streams if i < len(stream)]
    return mixed[:count]
