"""Words that are run (docs/reference/proof-format.md, 7): prefixes in the same state, with the same
unfinished sums, are run once.

A value is finished when the last symbol that it depends on is read; then it is added to everything that reads
it.
"""

from __future__ import annotations

from flint import fmpq

from .claim import Claim, Unsupported
from .onnx_file import Network
from .words import Part

MOST = 300_000


class Runs:
    def __init__(self, claim: Claim, network: Network) -> None:
        self.claim = claim
        forms = [f for arguments in network.relus for f in arguments]
        self.relus = len(forms)
        forms += network.outputs
        first, length, width = len(claim.prefix), claim.longest, claim.alphabet
        around = dict(enumerate(claim.prefix)) | {first + length + i: s for i, s in enumerate(claim.suffix)}
        self.ends: list[int] = []  # after so many symbols a value is finished
        self.starts: list[fmpq] = []
        self.symbols: list[dict[int, dict[int, fmpq]]] = []  # per value: position, symbol, what it adds
        self.readers: list[dict[int, fmpq]] = [{} for _ in forms]
        for u, form in enumerate(forms):
            start, own, end = fmpq(form.const), {}, 0
            for v, factor in form.terms.items():
                p, s = divmod(v, width)
                if v >= network.inputs:
                    self.readers[v - network.inputs][u] = factor
                    end = max(end, self.ends[v - network.inputs])
                elif first <= p < first + length:
                    own.setdefault(p - first, {})[s] = factor
                    end = max(end, p - first + 1)
                elif around[p] == s:
                    start += factor
            self.ends.append(end)
            self.starts.append(start)
            self.symbols.append(own)

    def right(self, c: int, part: Part) -> bool:
        """Whether the network gives label c on every word."""
        if part.empty:
            return True
        every = range(len(self.ends))
        begun = self.finished(0, tuple(self.starts))
        here = {(0, begun)}
        followed = 0
        for t, edges in enumerate(part.edges):
            onward: dict[int, list[tuple[int, int]]] = {}
            for q, s, r in edges:
                onward.setdefault(q, []).append((s, r))
            touched = [u for u in every if t in self.symbols[u]]
            new = set()
            for q, sums in here:
                for s, r in onward[q]:
                    values = list(sums)
                    for u in touched:
                        values[u] += self.symbols[u][t].get(s, 0)
                    new.add((r, self.finished(t + 1, tuple(values))))
            here = new
            followed += len(here)
            if followed > MOST:
                raise Unsupported("more prefixes to run than it has patience for")
        return all(self.label(sums[self.relus :]) == c for _, sums in here)

    def finished(self, t: int, sums: tuple) -> tuple:
        """ReLUs that end here are added to what reads them, and are nothing themselves any more."""
        values = list(sums)
        for u in range(self.relus):
            if self.ends[u] == t:
                if values[u] > 0:
                    for v, factor in self.readers[u].items():
                        values[v] += factor * values[u]
                values[u] = fmpq(0)
        return tuple(values)

    def label(self, outputs: tuple) -> int:
        if self.claim.kind == "sign":
            return 0 if outputs[0] <= 0 else 1
        return max(range(len(outputs)), key=lambda j: (outputs[j], -j))
