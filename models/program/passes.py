"""Passes: machines that read a word from one end to the other, for a program that does not know the word.

While automata are built, a program runs with unknown tokens (`tokens.py`).  Wherever it reads them (in a for
loop, a sum, `in`, an index), it asks for the outcome of a pass.  `sweep.py` runs passes side by side, over
all words at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from .compiled import Generator, Loop
from .folds import Fold
from .items import seen
from .values import BREAK, NATIVE, Execution, Located, ProgramFault, Return, Value, freeze, has_unknown

# "end" or "break" with the variables, "return" or "raise" with what is returned or raised, or "value" with it
Outcome = tuple[str, Any]


class NotAPass(Located):
    """The program uses its tokens in a way that no chain of passes can follow."""

    def __init__(self, what: str, line: int = 0) -> None:
        super().__init__(what)
        self.what, self.line = what, line


class NeedsLength(Located):
    """The program uses the word's length while words of several lengths are read together.

    The lengths then have to be read one by one.
    """


class Pass(Protocol):
    """A machine over the word.

    It takes items in order, each as soon as the last position that it reads is known.

    Its state is a payload.  Payloads with equal keys have equal futures.
    """

    key: Any  # differs from that of every other pass
    kind: Any  # equal for passes whose steps do the same
    items: Any  # one of `items.Items`
    adds: bool  # whether a payload is a sum, to which each item adds

    def begin(self, m: Execution) -> Any:
        """Return the payload before the first item."""
        ...

    def item(self, payload: Any, value: Value, m: Execution) -> tuple[Any, Outcome | None]:
        """Return the payload after one more item, and the outcome if the pass ends there."""
        ...

    def end(self, payload: Any, m: Execution) -> Outcome:
        """Return the outcome after the last item."""
        ...

    def payload_key(self, payload: Any) -> Any:
        """Return a hashable key of the payload."""
        ...

    def sees_tokens(self, payload: Any) -> bool:
        """Return whether a step may look at tokens other than those of its item."""
        ...


class LoopPass:
    """A for statement, begun with given variables.

    Its outcomes are "end", "break", "return" and "raise".  A payload is the values of the loop's state
    variables, by name.  The methods are those of `Pass`.
    """

    def __init__(self, loop: Loop, items: Any, env: dict[str, Value]) -> None:
        self.loop, self.items = loop, items
        self.entry = {name: env[name] for name in loop.names.state if name in env}
        self.key = ("loop", loop.number, items.key, self.payload_key(self.entry))
        self.kind = ("loop", loop.number)
        self.adds = False

    def payload_key(self, payload: dict[str, Value]) -> Any:
        return tuple(
            freeze(payload[name]) if name in payload else ("unbound",) for name in self.loop.names.state
        )

    def sees_tokens(self, payload: dict[str, Value]) -> bool:
        return any(map(has_unknown, payload.values()))

    def begin(self, m: Execution) -> dict[str, Value]:
        return self.entry

    def item(self, payload: dict[str, Value], value: Value, m: Execution) -> tuple[Any, Outcome | None]:
        env = dict(payload)
        self.loop.bind(env, value, m)
        signal = self.loop.body(env, m)
        if isinstance(signal, Return):
            return None, ("return", (signal.value, signal.line))
        if signal == BREAK:
            return None, ("break", self._surviving(env))
        return {name: env[name] for name in self.loop.names.state if name in env}, None

    def end(self, payload: dict[str, Value], m: Execution) -> Outcome:
        return "end", self._surviving(payload)

    def _surviving(self, env: dict[str, Value]) -> dict[str, Value]:
        """Return the variables that may be read after the loop."""
        return {name: env[name] for name in self.loop.names.result if name in env}


@dataclass(frozen=True, eq=False)
class FoldQuery:
    """What a fold over unknown tokens depends on.

    fold: the function.
    items: what it iterates over.
    generator: the generator expression that makes values of items; None if the items are the values.
    env: the variables around the generator expression.
    extra: a value that tells the fold from others of its name.
    """

    fold: Fold
    items: Any
    generator: Generator | None = None
    env: Mapping[str, Value] = field(default_factory=dict)
    extra: Value = None


class FoldPass:
    """A fold (sum, any, all, min, max, count, ...) over unknown tokens.

    Its outcome is "value" or "raise".  A payload is an accumulator.  The methods are those of `Pass`.
    """

    def __init__(self, query: FoldQuery) -> None:
        self.fold, self.items, self.extra = query.fold, query.items, query.extra
        self.generator = query.generator
        free = query.generator.free if query.generator else ()
        self.env = {name: query.env[name] for name in free if name in query.env}
        number = query.generator.number if query.generator else None
        bound = tuple((name, freeze(v)) for name, v in sorted(self.env.items()))
        self.kind = ("fold", self.fold.name, number, bound, freeze(self.extra))
        self.key = (*self.kind, freeze(self.fold.start), self.items.key)
        self.adds = self.fold.name == "sum" and type(self.fold.start) is int

    def payload_key(self, payload: Any) -> Any:
        return freeze(payload)

    def sees_tokens(self, payload: Any) -> bool:
        return has_unknown(payload) or has_unknown(self.extra) or any(map(has_unknown, self.env.values()))

    def begin(self, m: Execution) -> Any:
        return self.fold.start

    def item(self, payload: Any, value: Value, m: Execution) -> tuple[Any, Outcome | None]:
        values: Iterator[Value] = (
            iter((value,)) if self.generator is None else self.generator.produce(dict(self.env), value, m)
        )
        for v in values:
            payload, finished = self.fold.step(payload, v, m)
            if finished:
                return None, ("value", self.fold.finish(payload))
        return payload, None

    def end(self, payload: Any, m: Execution) -> Outcome:
        return "value", self.fold.finish(payload)


def fold_over(query: FoldQuery, m: Execution) -> Any:
    """Ask the run for the value of a fold over unknown tokens.

    Raises ProgramFault if the fold raises, and NotAPass if no pass can compute it.
    """
    assert m.ask is not None
    generator = query.generator
    if generator is not None and generator.carries:
        raise NotAPass("reads a variable of a generator expression before its `for`")
    if (values := seen(query.items, m.visible)) is not None:
        if generator is None:
            return query.fold.run(iter(values), m)
        produce, inner = generator.produce, {k: query.env[k] for k in generator.free if k in query.env}
        return query.fold.run((v for item in values for v in produce(inner, item, m)), m)
    kind, value = m.ask(FoldPass(query))
    if kind == "raise":
        raise ProgramFault(*value)
    return value


def outcome_key(outcome: Outcome) -> Any:
    """Return a hashable key of an outcome."""
    kind, value = outcome
    if isinstance(value, dict):
        return kind, tuple((name, freeze(v)) for name, v in sorted(value.items()))
    return kind, freeze(value)


def guarded(run: Callable[[], tuple[Any, Outcome | None]]) -> tuple[Any, Outcome | None]:
    """Return what `run` returns, with an exception of the program as the outcome "raise"."""
    try:
        return run()
    except ProgramFault as fault:
        return None, ("raise", (fault.exception, fault.message, fault.line))
    except NATIVE as e:
        return None, ("raise", (type(e).__name__, str(e), 0))
