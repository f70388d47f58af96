"""Unknown tokens: what lets the interpreter run a program without knowing the word, only its length.

`Tokens` stands for a slice of the word.  Whatever looks at its tokens - a for loop, sum, `in`, an index - becomes a
`Pass`: a small machine that reads the word from one end to the other, and whose outcome is asked from the
machine that runs the program.  `language.py` runs the passes side by side with the word.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Protocol

from .interpreter import BREAK, NATIVE, NOTHING, Fold, Located, Machine, ProgramFault, Return, Value, freeze
from .items import Items, Known, TokenItems, Zipped

if TYPE_CHECKING:
    from .expressions import Generator
    from .statements import Loop


class NotAPass(Located):
    """The program uses its tokens in a way that no chain of passes can follow."""

    def __init__(self, what: str, line: int = 0) -> None:
        super().__init__(what)
        self.what, self.line = what, line


class NeedsLength(Located):
    """The program uses the word's length, and words of several lengths are read together: read them apart."""


class Context:
    """The word's possible lengths and the machine that is running now (tokens are asked from it)."""

    def __init__(self, shortest: int, longest: int) -> None:
        self.shortest, self.longest = shortest, longest
        self.machine = Machine()

    def tokens(self) -> Tokens:
        return Tokens(self, range(self.longest))


def _refusing(what: str) -> Callable[..., Any]:
    def refuse(*_: Any) -> Any:
        raise NotAPass(what)

    return refuse


class Tokens:
    """The tokens at some positions of an unknown word; behaves as the tuple that it stands for, or raises NotAPass.

    Positions behind the end of a shorter word are not there; what depends on how many these are raises NeedsLength.
    """

    __slots__ = ("context", "positions")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, context: Context, positions: range) -> None:
        self.context, self.positions = context, positions

    @property
    def key(self) -> Any:
        context, positions = self.context, self.positions
        return ("tokens", context.shortest, context.longest, positions.start, positions.stop, positions.step)

    @property
    def settled(self) -> bool:
        """All positions are there in every word."""
        return not self.positions or max(self.positions[0], self.positions[-1]) < self.context.shortest

    def __len__(self) -> int:
        if not self.settled:
            raise NeedsLength
        return len(self.positions)

    def __getitem__(self, index: Any) -> Any:
        parts = (index.start, index.stop, index.step) if isinstance(index, slice) else (index,)
        if any(isinstance(i, int) and i < 0 for i in parts) and not self.settled:
            raise NeedsLength
        if isinstance(index, slice):
            return Tokens(self.context, self.positions[index])
        if not isinstance(index, int):
            return ()[index]  # TypeError, as a tuple says it
        try:
            position = self.positions[index]
        except IndexError:
            return ()[index]
        visible = self.context.machine.visible
        if visible is not None and position in visible:
            return visible[position]

        def finish(acc: Any) -> Value:
            if acc is NOTHING:  # the word is shorter
                raise IndexError("tuple index out of range")
            return acc

        return self._ask(
            Fold("first", lambda acc, v, m: (v, True), finish), None, range(position, position + 1), NOTHING
        )

    def __contains__(self, value: Value) -> bool:
        return self._ask(
            Fold("in", lambda acc, v, m: (True, True) if v == value else (False, False), bool), value
        )

    def count(self, value: Value) -> int:
        return self._ask(Fold("count", lambda acc, v, m: (acc + (v == value), False), int), value, start=0)

    def index(self, value: Value) -> int:
        def finish(acc: tuple[int, bool]) -> int:
            return acc[0] if acc[1] else ().index(value)

        def step(acc: tuple[int, bool], v: Value, m: Machine) -> tuple[tuple[int, bool], bool]:
            return ((acc[0], True), True) if v == value else ((acc[0] + 1, False), False)

        return self._ask(Fold("index", step, finish), value, start=(0, False))

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Tokens):
            if self.positions == other.positions:
                return True
            if len(self) != len(other):
                return False
            raise NotAPass("compares two slices of the tokens")
        if not isinstance(other, tuple) or len(self) != len(other):
            return False
        return all(bool(self[i] == other[i]) for i in range(len(other)))

    def __ne__(self, other: object) -> bool:
        return not self == other

    def _ask(self, fold: Fold, extra: Value, positions: range | None = None, start: Any = False) -> Any:
        items = TokenItems(self if positions is None else Tokens(self.context, positions))
        return fold_over(fold, start, items, None, {}, self.context.machine, extra)

    __iter__ = _refusing("walks over the tokens outside a for loop or a generator")
    __add__ = __radd__ = _refusing("adds to the tokens")
    __mul__ = __rmul__ = _refusing("repeats the tokens")
    __lt__ = __le__ = __gt__ = __ge__ = _refusing("orders the tokens as a tuple")
    __str__ = __repr__ = _refusing("turns the tokens into a string")


def has_tokens(value: Value) -> bool:
    return isinstance(value, Tokens) or (type(value) is tuple and any(map(has_tokens, value)))


def items_of(value: Any) -> Any:
    """Symbolic items where `value` holds unknown tokens, else the value itself."""
    return TokenItems(value) if isinstance(value, Tokens) else value


def enumerated(value: Any, start: int = 0) -> Any:
    value = items_of(value)
    if isinstance(value, Items):
        enumerate((), start)  # raises where CPython does
        return Zipped((Known(range(int(start), int(start) + len(value))), value))
    return enumerate(value, start)


def zipped(values: list[Any]) -> Any:
    values = [items_of(v) for v in values]
    if not any(isinstance(v, Items) for v in values):
        return zip(*values, strict=False)
    for v in values:
        if not isinstance(v, Items | tuple | str | range):
            iter(v)
            raise NotAPass("zips the tokens with an iterator")
    shortest = min(len(v) for v in values if isinstance(v, Items))  # a range may be too long even for len()
    return Zipped(tuple(v if isinstance(v, Items) else Known(v[:shortest]) for v in values))


class Pass(Protocol):
    """A machine over the word: items in order, each when the last position that it reads has been read.

    A state is (key, payload): equal keys mean equal futures.  `("done", outcome)` payloads never change again.
    """

    key: Any  # tells it apart from every other pass
    kind: Any  # the same where a step does the same
    items: Any

    def begin(self, m: Machine) -> Any: ...

    def item(self, payload: Any, value: Value, m: Machine) -> tuple[Any, tuple[str, Any] | None]: ...

    def end(self, payload: Any, m: Machine) -> tuple[str, Any]: ...

    def payload_key(self, payload: Any) -> Any: ...

    def sees_tokens(self, payload: Any) -> bool:
        """Whether a step may look at tokens other than its item's."""
        ...


class LoopPass:
    """A for statement from one entry environment; outcomes are end, break (with what survives), return and raise."""

    def __init__(self, loop: Loop, items: Any, env: dict[str, Value]) -> None:
        self.loop, self.items = loop, items
        self.entry = {name: env[name] for name in loop.names.state if name in env}
        self.key = ("loop", loop.number, items.key, self.payload_key(self.entry))
        self.kind = ("loop", loop.number)

    def payload_key(self, payload: dict[str, Value]) -> Any:
        return tuple(
            freeze(payload[name]) if name in payload else ("unbound",) for name in self.loop.names.state
        )

    def sees_tokens(self, payload: dict[str, Value]) -> bool:
        return any(map(has_tokens, payload.values()))

    def begin(self, m: Machine) -> dict[str, Value]:
        return self.entry

    def item(self, payload: dict[str, Value], value: Value, m: Machine) -> tuple[Any, tuple[str, Any] | None]:
        env = dict(payload)
        self.loop.bind(env, value, m)
        signal = self.loop.body(env, m)
        if isinstance(signal, Return):
            return None, ("return", (signal.value, signal.line))
        if signal == BREAK:
            return None, ("break", self._surviving(env))
        return {name: env[name] for name in self.loop.names.state if name in env}, None

    def end(self, payload: dict[str, Value], m: Machine) -> tuple[str, Any]:
        return "end", self._surviving(payload)

    def _surviving(self, env: dict[str, Value]) -> dict[str, Value]:
        return {name: env[name] for name in self.loop.names.result if name in env}


class FoldPass:
    """sum, any, all, min, max, count, ... over unknown tokens, perhaps through a generator expression."""

    def __init__(
        self,
        fold: Fold,
        start: Any,
        items: Any,
        generator: Generator | None,
        env: dict[str, Value],
        extra: Value,
    ) -> None:
        self.fold, self.start, self.items, self.generator, self.extra = fold, start, items, generator, extra
        self.env = {name: env[name] for name in generator.free if name in env} if generator else {}
        number = generator.number if generator else None
        bound = tuple((name, freeze(v)) for name, v in sorted(self.env.items()))
        self.kind = ("fold", fold.name, number, bound, freeze(extra))
        self.key = (*self.kind, freeze(start), items.key)

    def payload_key(self, payload: Any) -> Any:
        return freeze(payload)

    def sees_tokens(self, payload: Any) -> bool:
        return has_tokens(payload) or has_tokens(self.extra) or any(map(has_tokens, self.env.values()))

    def begin(self, m: Machine) -> Any:
        return self.start

    def item(self, payload: Any, value: Value, m: Machine) -> tuple[Any, tuple[str, Any] | None]:
        values: Iterator[Value] = (
            iter((value,)) if self.generator is None else self.generator.produce(dict(self.env), value, m)
        )
        for v in values:
            payload, finished = self.fold.step(payload, v, m)
            if finished:
                return None, ("value", self.fold.finish(payload))
        return payload, None

    def end(self, payload: Any, m: Machine) -> tuple[str, Any]:
        return "value", self.fold.finish(payload)


def fold_over(
    fold: Fold,
    start: Any,
    items: Any,
    generator: Generator | None,
    env: dict[str, Value],
    m: Machine,
    extra: Value = None,
) -> Any:
    assert m.ask is not None
    if generator is not None and generator.carries:
        raise NotAPass("reads a variable of a generator expression before its `for`")
    kind, value = m.ask(FoldPass(fold, start, items, generator, env, extra))
    if kind == "raise":
        raise ProgramFault(*value)
    return value


def outcome_key(outcome: tuple[str, Any]) -> Any:
    kind, value = outcome
    if isinstance(value, dict):
        return kind, tuple((name, freeze(v)) for name, v in sorted(value.items()))
    return kind, freeze(value)


def guarded(run: Callable[[], tuple[Any, tuple[str, Any] | None]]) -> tuple[Any, tuple[str, Any] | None]:
    """What `run` gives, with a fault of the program as an outcome."""
    try:
        return run()
    except ProgramFault as fault:
        return None, ("raise", (fault.exception, fault.message, fault.line))
    except NATIVE as e:
        return None, ("raise", (type(e).__name__, str(e), 0))
