"""Programs as machines that read a word symbol by symbol.  The pieces of the program are run by CPython.

A function is cut at its one `for` over the tokens.  Everything else that looks at them (`tokens.count("a")`,
`"a" in tokens`, `len(tokens)`, `tokens[2]`, `any(... for t in tokens)`) is replaced by a call that asks a
small tracker.  The machine's state is the trackers' states and the loop's locals.  What does not fit is run
on whole words.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any

from .claim import Rejected, Unsupported


class _Return(Exception):
    pass


def frozen(value: object) -> Hashable:
    """True, 1 and "1" differ."""
    return tuple(map(frozen, value)) if isinstance(value, tuple) else (type(value).__name__, value)  # type: ignore[return-value]


class Tracker:
    """start, step and value: how one question about the word is answered in passing."""

    def __init__(
        self,
        start: Hashable,
        step: Callable[[Any, int, str], Hashable],
        value: Callable[[Any], object],
        *,
        counted: bool = False,
    ) -> None:
        self.start, self.step, self.value, self.counted = start, step, value, counted


def count(x: object) -> Tracker:
    return Tracker(0, lambda n, _, t: n + (t == x), lambda n: n)


def member(x: object) -> Tracker:
    return Tracker(False, lambda seen, _, t: seen or t == x, lambda seen: seen)


def length() -> Tracker:
    return Tracker(0, lambda n, _, t: n + 1, lambda n: n)


def at(index: int) -> Tracker:
    """tokens[index]: the word so far, cut to what matters."""
    if index >= 0:
        return Tracker((), lambda s, i, t: (t,) if i == index else s, lambda s: s[0], counted=True)
    return Tracker((), lambda s, _, t: (*s, t)[index:], lambda s: s[index])


def fold(kind: str, element: Callable[[str], tuple]) -> Tracker:
    """sum, any, all over a generator that looks at one token only."""

    def step(state: Any, _: int, t: str) -> Hashable:
        if state in ("true", "false"):
            return state
        for v in element(t):
            if kind == "any" and v:
                return "true"
            if kind == "all" and not v:
                return "false"
            state = state + v if kind == "sum" else state
        return state

    return Tracker(0, step, lambda s: s if kind == "sum" else s == "true" if kind == "any" else s != "false")


class _Rewriter(ast.NodeTransformer):
    """Replaces questions about the tokens by asked(k), and returns by exceptions."""

    def __init__(
        self, parameter: str, known: dict[str, object], local: set[str], fixed_length: int | None
    ) -> None:
        self.parameter, self.known, self.local, self.fixed_length = parameter, known, local, fixed_length
        self.trackers: list[Tracker] = []
        self.in_loop = False

    def ask(self, tracker: Tracker, node: ast.expr) -> ast.expr:
        if self.in_loop:
            raise Unsupported("a question about the tokens inside a loop over them")
        self.trackers.append(tracker)
        return ast.copy_location(ast.parse(f"__asked({len(self.trackers) - 1})", mode="eval").body, node)

    def is_tokens(self, node: ast.AST) -> bool:
        return isinstance(node, ast.Name) and node.id == self.parameter

    def constant(self, node: ast.expr) -> object:
        if any(
            isinstance(n, ast.Name) and (n.id in self.local or n.id == self.parameter) for n in ast.walk(node)
        ):
            raise Unsupported("an argument that is not constant")
        return eval(compile(ast.Expression(node), "constant", "eval"), dict(self.known))

    def visit_Return(self, node: ast.Return) -> ast.AST:
        value = self.visit(node.value) if node.value else ast.Constant(None)
        call = ast.Call(ast.Name("__Return", ast.Load()), [value], [])
        return ast.copy_location(ast.Raise(call, None), node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        f = node.func
        if isinstance(f, ast.Attribute) and f.attr == "count" and self.is_tokens(f.value):
            return self.ask(count(self.constant(node.args[0])), node)
        if isinstance(f, ast.Name) and f.id == "len" and len(node.args) == 1 and self.is_tokens(node.args[0]):
            if self.fixed_length is not None:
                return ast.copy_location(ast.Constant(self.fixed_length), node)
            return self.ask(length(), node)
        if isinstance(f, ast.Name) and f.id in ("sum", "any", "all") and len(node.args) == 1:
            g = node.args[0]
            if (
                isinstance(g, ast.GeneratorExp)
                and len(g.generators) == 1
                and self.is_tokens(g.generators[0].iter)
            ):
                return self.ask(fold(f.id, self.element(g)), node)
        return self.generic_visit(node)

    def element(self, g: ast.GeneratorExp) -> Callable[[str], tuple]:
        target = g.generators[0].target
        inside = [g.elt, *g.generators[0].ifs]
        names = {n.id for e in inside for n in ast.walk(e) if isinstance(n, ast.Name)}
        if not isinstance(target, ast.Name) or (names - {target.id}) & (self.local | {self.parameter}):
            raise Unsupported("a generator that looks at more than one token")
        one = ast.GeneratorExp(
            g.elt, [ast.comprehension(target, ast.Name("__items", ast.Load()), g.generators[0].ifs, 0)]
        )
        whole = ast.Call(ast.Name("tuple", ast.Load()), [one], [])
        code = compile(ast.fix_missing_locations(ast.Expression(whole)), "element", "eval")
        return lambda t: eval(code, {**self.known, "__items": (t,)})

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        if (
            len(node.ops) == 1
            and isinstance(node.ops[0], ast.In | ast.NotIn)
            and self.is_tokens(node.comparators[0])
        ):
            found = self.ask(member(self.constant(node.left)), node)
            return (
                ast.copy_location(ast.UnaryOp(ast.Not(), found), node)
                if isinstance(node.ops[0], ast.NotIn)
                else found
            )
        return self.generic_visit(node)

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        if self.is_tokens(node.value) and not isinstance(node.slice, ast.Slice):
            index = self.constant(node.slice)
            if type(index) is not int:
                raise Unsupported("an index that is no integer")
            return self.ask(at(index), node)
        return self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if self.is_tokens(node):
            raise Unsupported("the tokens as a value")
        return node


def _assigned(nodes: list[ast.stmt]) -> set[str]:
    return {
        n.id for s in nodes for n in ast.walk(s) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
    }


def _read(nodes: list[ast.stmt]) -> set[str]:
    return {
        n.id for s in nodes for n in ast.walk(s) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)
    }


def _compiled(statements: list[ast.stmt]) -> Any:
    return compile(ast.fix_missing_locations(ast.Module(statements or [ast.Pass()], [])), "piece", "exec")


class Machine:
    """The program as start(), step(state, position, token) and finish(state)."""

    def __init__(self, path: Path, name: str, fixed_length: int | None) -> None:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        known: dict[str, Any] = {}
        exec(compile(tree, str(path), "exec"), known)
        function = next(f for f in tree.body if isinstance(f, ast.FunctionDef) and f.name == name)
        parameter = function.args.args[0].arg
        body = list(function.body)
        loops = [i for i, s in enumerate(body) if isinstance(s, ast.For) and self._walks(s, parameter)]
        if len(loops) > 1:
            raise Unsupported("two loops over the tokens")
        self.local = _assigned(body)
        self.enumerates = False
        if parameter in self.local:
            raise Unsupported("the tokens assigned to")
        self.known = {k: v for k, v in known.items() if k not in self.local} | {"__Return": _Return}
        rewriter = _Rewriter(parameter, self.known, self.local, fixed_length)
        cut = loops[0] if loops else len(body)
        before = [rewriter.visit(s) for s in body[:cut]]
        self.asked_before = len(rewriter.trackers) > 0
        self.loop = self._loop_code(body[cut], rewriter) if loops else None  # type: ignore[arg-type]
        after = [rewriter.visit(s) for s in body[cut + 1 :]]
        if loops:
            always = {n.id for n in ast.walk(body[cut].target) if isinstance(n, ast.Name)}  # type: ignore[attr-defined]
            self.kept = sorted(self.local - (always - _read(body[cut + 1 :])))
        if self.asked_before and loops:
            raise Unsupported("a loop after a question about the tokens")
        self.trackers = rewriter.trackers
        self.counted = self.enumerates or any(t.counted for t in self.trackers)
        self.before, self.after = _compiled(before), _compiled(after)
        self.memo: dict = {}
        self.locals: dict[Hashable, dict] = {}

    @staticmethod
    def _walks(s: ast.For, parameter: str) -> bool:
        calls = (
            isinstance(s.iter, ast.Call)
            and isinstance(s.iter.func, ast.Name)
            and s.iter.func.id == "enumerate"
            and len(s.iter.args) == 1
        )
        walked = s.iter.args[0] if calls else s.iter  # type: ignore[attr-defined]
        return isinstance(walked, ast.Name) and walked.id == parameter

    def _loop_code(self, loop: ast.For, rewriter: _Rewriter) -> Any:
        if loop.orelse:
            raise Unsupported("for ... else")
        self.enumerates = isinstance(loop.iter, ast.Call)
        rewriter.in_loop = True
        body = [rewriter.visit(s) for s in loop.body]
        rewriter.in_loop = False
        went = ast.parse("__went = True").body
        return _compiled([ast.For(loop.target, ast.Name("__items", ast.Load()), body, went)])

    def _run(self, code: Any, names: dict) -> tuple[str, Hashable]:
        """The piece's outcome: ("go", locals), ("return", value) or ("raise", "")."""
        space = {**self.known, **names}
        try:
            exec(code, space)
        except _Return as e:
            self.locals[("return", frozen(e.args[0]))] = e.args[0]
            return "return", frozen(e.args[0])
        except Unsupported:
            raise
        except Exception:
            return "raise", ""
        kept = {n: space[n] for n in self.kept if n in space}
        key = tuple((n, frozen(v)) for n, v in kept.items())
        self.locals[key] = kept
        went = "__went" in space or "__items" not in names
        return ("go" if went else "stop"), key

    def start(self) -> Hashable:
        state = self._run(self.before, {}) if self.loop else None
        return (state, *(t.start for t in self.trackers))

    def step(self, state: Any, position: int, token: str) -> Hashable:
        key = (state, position if self.counted else 0, token)
        if key not in self.memo:
            first = state[0]
            if self.loop and first[0] == "go":
                names = self.locals[first[1]]
                items = ((position, token),) if self.enumerates else (token,)
                first = self._run(self.loop, {**names, "__items": items})
            self.memo[key] = (
                first,
                *(t.step(s, position, token) for t, s in zip(self.trackers, state[1:], strict=True)),
            )
        return self.memo[key]

    def finish(self, state: Any) -> object:
        """What the program returns; raises Rejected where it raises."""
        if self.loop and state[0][0] == "return":
            return self.locals[state[0]]
        if self.loop and state[0][0] == "raise":
            raise Rejected("the program raises")
        names = dict(self.locals[state[0][1]]) if self.loop else {}
        names["__asked"] = lambda k: self.trackers[k].value(state[1 + k])
        space = {**self.known, **names}
        try:
            if not self.loop:
                exec(self.before, space)
            else:
                exec(self.after, space)
        except _Return as e:
            return e.args[0]
        except Exception as e:
            raise Rejected(f"the program raises {e!r}") from e
        return None


class AtPosition:
    """The label at a position, of a program that gives all labels or is a function of the prefix."""

    def __init__(self, path: Path, name: str, position: int, per_prefix: bool) -> None:
        self.whole, self.position, self.per_prefix = WholeWords(path, name), position, per_prefix

    def start(self) -> Hashable:
        return ()

    def step(self, state: Any, position: int, token: str) -> Hashable:
        return (*state, token)

    def finish(self, state: Any) -> object:
        if self.per_prefix:
            return self.whole.finish(state[: self.position + 1])
        return self.whole.labels(state)[self.position]


class WholeWords:
    """The same interface for any program: the state is the word so far."""

    def __init__(self, path: Path, name: str) -> None:
        known: dict[str, Any] = {}
        exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), known)
        self.function = known[name]

    def start(self) -> Hashable:
        return ()

    def step(self, state: Any, position: int, token: str) -> Hashable:
        return (*state, token)

    def labels(self, state: Any) -> tuple:
        """What it returns, which is one label for each token."""
        found = self.finish(state)
        if type(found) is not tuple or len(found) != len(state):
            raise Rejected("the program does not return one label for each token")
        return found

    def finish(self, state: Any) -> object:
        try:
            return self.function(state)
        except Exception as e:
            raise Rejected(f"the program raises {e!r}") from e
