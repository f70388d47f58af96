"""Source text -> closures: the readable subset of Python (grammar in docs/program-subset.md).

Compiling is validating: each construct of the subset has its method here, everything else is refused at its line with
the way to mend it.  Closures take the locals and the machine; the word "compile" never means Python's own.
"""

from __future__ import annotations

import ast
import itertools
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from .errors import InputError
from .interpreter import (
    BINARY,
    BIT_LIMIT,
    BREAK,
    COMPARE,
    CONTINUE,
    FOLD_START,
    FOLDS,
    NATIVE,
    SIZE_LIMIT,
    UNARY,
    Fold,
    Located,
    Machine,
    ProgramFault,
    Return,
    Value,
    checked,
)  # fmt: skip
from .liveness import Liveness, LoopNames, names_bound, names_read
from .passes import Items, Known, LoopPass, NotAPass, Peeking, TokenItems, Tokens, Zipped, enumerated, fold_over, items_of, zipped

Env = dict[str, Any]
Run = Callable[[Env, Machine], Any]
Bind = Callable[[Env, Any, Machine], None]

DEPTH_LIMIT = 60
_NUMBERS = itertools.count()  # loops and generators of all files: a name for each
BUILTINS = ("abs", "all", "any", "bool", "enumerate", "int", "len", "max", "min", "range", "reversed", "str", "sum", "tuple", "zip")
ITERATORS = ("enumerate", "range", "reversed", "zip")
METHODS = ("count", "index")

# Constructs that people reach for, and what to write instead.
MENDS: dict[str, tuple[str, str]] = {
    "Import": ("import", "write the function without it"),
    "ImportFrom": ("import", "write the function without it"),
    "Attribute": ("attribute access", "only .count(x) and .index(x) are known"),
    "Lambda": ("lambda", "write a function of this file"),
    "ListComp": ("list comprehension", "use a for loop, or a generator expression inside sum, any, all, min, max or tuple"),
    "SetComp": ("set comprehension", "use a for loop"),
    "DictComp": ("dict comprehension", "use a for loop"),
    "GeneratorExp": ("generator expression on its own", "use it inside sum, any, all, min, max or tuple"),
    "List": ("list", "write a tuple: (a, b)"),
    "Set": ("set", "write a tuple: (a, b)"),
    "Dict": ("dict", "use if and elif"),
    "JoinedStr": ("f-string", "add strings with +"),
    "NamedExpr": ("walrus :=", "assign on a line of its own"),
    "Starred": ("starred expression", "write the elements out"),
    "Global": ("global", "use locals"),
    "Nonlocal": ("nonlocal", "use locals"),
    "With": ("with", "leave it out"),
    "Try": ("try", "test before, with if"),
    "TryStar": ("try", "test before, with if"),
    "Raise": ("raise", "return a label instead"),
    "Assert": ("assert", "use if"),
    "Delete": ("del", "leave it out"),
    "Match": ("match", "use if and elif"),
    "FunctionDef": ("function inside a function", "move it to the top of the file"),
    "AsyncFunctionDef": ("async function", "write def"),
    "ClassDef": ("class", "write a function"),
    "AsyncFor": ("async for", "write for"),
    "Await": ("await", "leave it out"),
    "Yield": ("yield", "return one label"),
    "YieldFrom": ("yield", "return one label"),
    "Div": ("division /", "use // (there are no floats)"),
    "Invert": ("operator ~", "use not"),
    "LShift": ("operator <<", "multiply"),
    "RShift": ("operator >>", "use //"),
    "MatMult": ("operator @", "use *"),
}


class ProgramError(InputError):
    """The source is outside the subset: `origin:line: construct; mend`."""


@dataclass(eq=False)
class Loop:
    """What a pass needs of a for statement."""

    number: int
    names: LoopNames
    bind: Bind
    body: Run


@dataclass(eq=False)
class Generator:
    """A generator expression over its first iterable: `produce(env, item, m)` yields what one item gives."""

    number: int
    free: tuple[str, ...]
    first: Run
    produce: Callable[[Env, Any, Machine], Iterator[Any]]


@dataclass(eq=False)
class Function:
    """A compiled function; `uses` are the names of the helpers and constants that it needs, transitively."""

    node: ast.FunctionDef
    parameters: tuple[str, ...]
    body: Run
    uses: dict[str, ast.stmt]

    def call(self, arguments: tuple[Any, ...], m: Machine) -> Return:
        m.tick()
        signal = self.body(dict(zip(self.parameters, arguments, strict=True)), m)
        return signal if isinstance(signal, Return) else Return(None, self.node.lineno)


def parse(source: str, origin: str) -> ast.Module:
    """The file's syntax tree, or one clear error whatever the text is."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(source)
    except SyntaxError as e:
        raise ProgramError(f"{origin}:{e.lineno or 1}", f"not Python: {e.msg}", "mend the syntax") from None
    except (RecursionError, MemoryError):
        raise ProgramError(origin, "the source is nested too deeply", "split it into statements") from None
    except ValueError as e:
        raise ProgramError(origin, f"not Python: {e}", "write plain UTF-8 text") from None


class Scope:
    """Names of one function or generator expression; `outer` is the scope around a generator expression."""

    def __init__(self, names: set[str], outer: Scope | None = None) -> None:
        self.names, self.outer = names, outer

    def binds(self, name: str) -> bool:
        """Is this a variable here?  It then hides a function of the same file, as in Python."""
        return name in self.names or (self.outer is not None and self.outer.binds(name))


class Module:
    """The top level of a file: functions and constants, compiled when they are used."""

    def __init__(self, source: str, origin: str) -> None:
        self.origin = origin
        self.functions: dict[str, ast.FunctionDef] = {}
        self.constants: dict[str, tuple[ast.stmt, Value]] = {}
        self.compiled: dict[str, Function] = {}
        self.active: list[str] = []
        tree = parse(source, origin)
        for node in tree.body:
            self._top_level(node)

    def refuse(self, node: Any, what: str, mend: str = "") -> ProgramError:
        return ProgramError(f"{self.origin}:{getattr(node, 'lineno', 1)}", what, mend)

    def _top_level(self, node: ast.stmt) -> None:
        match node:
            case ast.FunctionDef():
                self._fresh(node, node.name)
                self.functions[node.name] = node
            case ast.Assign(targets=[ast.Name(id=name)], value=value) | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                self._fresh(node, name)
                run = Compiler(self, Scope(set()), Liveness([])).expression(value, 0)
                try:
                    self.constants[name] = (node, run({}, Machine()))
                except ProgramFault as fault:
                    raise self.refuse(node, f"the constant {name!r} {fault}", "mend it") from None
                except NATIVE as e:
                    raise self.refuse(node, f"the constant {name!r} raises {type(e).__name__}: {e}", "mend it") from None
            case ast.Expr(value=ast.Constant()) | ast.Pass():
                pass
            case _:
                what, mend = MENDS.get(type(node).__name__, (f"{type(node).__name__.lower()} outside a function", ""))
                raise self.refuse(node, f"{what} is outside the subset", mend or "a file holds functions and constants")

    def _fresh(self, node: ast.stmt, name: str) -> None:
        if name in self.functions or name in self.constants:
            raise self.refuse(node, f"{name!r} is defined twice", "rename one of them")
        if name in BUILTINS:
            raise self.refuse(node, f"{name!r} would hide the built-in function", "rename it")

    def function(self, name: str, call: ast.AST | None = None) -> Function:
        if name in self.compiled:
            return self.compiled[name]
        node = self.functions[name]
        if name in self.active:
            raise self.refuse(call or node, f"{name!r} calls itself", "recursion is outside the subset: use a loop")
        self.active.append(name)
        try:
            if len(self.active) > DEPTH_LIMIT // 4:
                raise self.refuse(node, "functions call each other too deeply", "put some of them together")
            self.compiled[name] = compile_function(self, node)
        except RecursionError:
            raise self.refuse(node, "the source is nested too deeply", "split it into statements") from None
        finally:
            self.active.pop()
        return self.compiled[name]


def compile_function(module: Module, node: ast.FunctionDef) -> Function:
    a = node.args
    if node.decorator_list:
        raise module.refuse(node, "a decorator is outside the subset", "leave it out")
    if a.posonlyargs or a.kwonlyargs or a.vararg or a.kwarg:
        raise module.refuse(node, "only plain parameters are in the subset", "leave out *, ** and /")
    if a.defaults:
        raise module.refuse(node, "a default argument is outside the subset", "use a constant of the file")
    if getattr(node, "type_params", None):
        raise module.refuse(node, "type parameters are outside the subset", "leave them out")
    parameters = tuple(p.arg for p in a.args)
    bound = names_bound(*node.body) | set(parameters)
    for name in sorted(bound):
        if name in BUILTINS:
            raise module.refuse(node, f"{node.name!r} binds {name!r}, which hides the function of that name", "rename the variable")
        if name.startswith("__"):
            raise module.refuse(node, f"the name {name!r} is outside the subset", "rename it")
    compiler = Compiler(module, Scope(bound), Liveness(node.body))
    body = compiler.block(node.body, 0)
    uses = dict(compiler.uses)
    for used in compiler.uses:
        if used in module.compiled:
            uses.update(module.compiled[used].uses)
    return Function(node, parameters, body, uses)


class Compiler:
    """The constructs of one function: one method per kind of statement (`stmt_X`) and expression (`expr_X`)."""

    def __init__(self, module: Module, scope: Scope, liveness: Liveness, uses: dict[str, ast.stmt] | None = None) -> None:
        self.module, self.scope, self.liveness = module, scope, liveness
        self.uses: dict[str, ast.stmt] = {} if uses is None else uses
        self.refuse = module.refuse

    def outside(self, node: ast.AST, at: ast.AST | None = None) -> ProgramError:
        what, mend = MENDS.get(type(node).__name__, (type(node).__name__, "see docs/program-subset.md"))
        return self.refuse(at or node, f"{what} is outside the subset", mend)

    # statements

    def block(self, body: list[ast.stmt], depth: int) -> Run:
        steps = [(s.lineno, run) for s in body if (run := self.statement(s, depth + 1)) is not None]

        def execute(env: Env, m: Machine) -> Any:
            line = 0
            try:
                for line, run in steps:  # noqa: B007 (the handlers below name it)
                    m.steps -= 1
                    if m.steps < 0:
                        m.tick()
                    signal = run(env, m)
                    if signal is not None:
                        return signal
            except Located as e:
                e.line = e.line or line
                raise
            except NATIVE as e:
                raise ProgramFault(type(e).__name__, str(e), line) from None
            except (RecursionError, MemoryError):
                raise ProgramFault("", "nests too deeply", line) from None
            return None

        return execute

    def statement(self, node: ast.stmt, depth: int) -> Run | None:
        if depth > DEPTH_LIMIT:
            raise self.refuse(node, "the source is nested too deeply", "split it into functions")
        match node:
            case ast.Pass() | ast.Expr(value=ast.Constant()) | ast.AnnAssign(value=None, target=ast.Name()):
                return None
            case ast.Expr():
                raise self.refuse(node, "an expression on its own is outside the subset", "assign its value, or leave it out")
            case ast.Break():
                return lambda env, m: BREAK
            case ast.Continue():
                return lambda env, m: CONTINUE
        method = getattr(self, f"stmt_{type(node).__name__}", None)
        if method is None:
            raise self.outside(node)
        return method(node, depth)

    def stmt_Return(self, node: ast.Return, depth: int) -> Run:
        line = node.lineno
        if node.value is None:
            return lambda env, m: Return(None, line)
        value = self.expression(node.value, depth)
        return lambda env, m: Return(value(env, m), line)

    def stmt_Assign(self, node: ast.Assign, depth: int) -> Run:
        value = self.expression(node.value, depth)
        if len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id

            def assign_one(env: Env, m: Machine) -> None:
                env[name] = value(env, m)

            return assign_one
        targets = [self.target(t) for t in node.targets]

        def assign(env: Env, m: Machine) -> None:
            result = value(env, m)
            for bind in targets:
                bind(env, result, m)

        return assign

    def stmt_AnnAssign(self, node: ast.AnnAssign, depth: int) -> Run:
        assert node.value is not None
        if not isinstance(node.target, ast.Name):
            raise self.outside(node.target)
        value, name = self.expression(node.value, depth), node.target.id

        def assign(env: Env, m: Machine) -> None:
            env[name] = value(env, m)

        return assign

    def stmt_AugAssign(self, node: ast.AugAssign, depth: int) -> Run:
        if not isinstance(node.target, ast.Name):
            raise self.refuse(node, "changing a value in place is outside the subset", "values never change: assign a new one to a name")
        name = node.target.id
        load = self.expression(ast.copy_location(ast.Name(name, ast.Load()), node), depth)
        value, operate = self.expression(node.value, depth), self.operator(node.op, node)

        def augment(env: Env, m: Machine) -> None:
            before = load(env, m)
            env[name] = checked(operate(before, value(env, m)), m)

        return augment

    def stmt_If(self, node: ast.If, depth: int) -> Run:
        branches: list[tuple[Run, Run]] = []
        orelse: list[ast.stmt] = [node]
        while len(orelse) == 1 and isinstance(orelse[0], ast.If):  # elif by elif: a long chain is not deep
            inner = orelse[0]
            branches.append((self.expression(inner.test, depth), self.block(inner.body, depth)))
            orelse = inner.orelse
        last = self.block(orelse, depth)
        if len(branches) == 1:
            (test, body) = branches[0]
            return lambda env, m: body(env, m) if test(env, m) else last(env, m)

        def choose(env: Env, m: Machine) -> Any:
            for test, body in branches:
                if test(env, m):
                    return body(env, m)
            return last(env, m)

        return choose

    def stmt_While(self, node: ast.While, depth: int) -> Run:
        test, body, orelse = self.expression(node.test, depth), self.block(node.body, depth), self.block(node.orelse, depth)

        def loop(env: Env, m: Machine) -> Any:
            while test(env, m):
                m.tick()
                signal = body(env, m)
                if signal is BREAK:
                    return None
                if isinstance(signal, Return):
                    return signal
            return orelse(env, m)

        return loop

    def stmt_For(self, node: ast.For, depth: int) -> Run:
        iterable = self.iterable(node.iter, depth)
        info = Loop(next(_NUMBERS), self.liveness.loops[node], self.target(node.target), self.block(node.body, depth))
        bind, body, orelse, names = info.bind, info.body, self.block(node.orelse, depth), info.names
        peeks = _peeks(node)

        def symbolic(env: Env, m: Machine, items: Any) -> Any:
            assert m.ask is not None
            kind, value = m.ask(LoopPass(info, items, env))
            if kind == "raise":
                raise ProgramFault(*value)
            if kind == "return":
                return Return(*value)
            for name in names.assigned:
                env.pop(name, None)
            env.update(value)
            return orelse(env, m) if kind == "end" else None

        def loop(env: Env, m: Machine) -> Any:
            items = iterable(env, m)
            if m.ask is not None:
                items = _peeking(items, peeks, env)
                if isinstance(items, Items):
                    return symbolic(env, m, items)
            for item in items:
                m.tick()
                bind(env, item, m)
                signal = body(env, m)
                if signal is BREAK:
                    return None
                if isinstance(signal, Return):
                    return signal
            return orelse(env, m)

        return loop

    def target(self, node: ast.expr) -> Bind:
        if isinstance(node, ast.Name):
            name = node.id

            def bind_name(env: Env, value: Any, m: Machine) -> None:
                env[name] = value

            return bind_name
        if isinstance(node, ast.Tuple):
            parts = [self.target(t) for t in node.elts]

            def unpack(env: Env, value: Any, m: Machine) -> None:
                if type(value) not in (tuple, str, Tokens):
                    raise TypeError(f"cannot unpack non-iterable {type(value).__name__} object")
                if len(value) != len(parts):
                    few = len(value) < len(parts)
                    raise ValueError(f"not enough values to unpack (expected {len(parts)}, got {len(value)})" if few else
                                     f"too many values to unpack (expected {len(parts)})")  # fmt: skip
                for bind, part in zip(parts, [value[i] for i in range(len(parts))], strict=True):
                    bind(env, part, m)

            return unpack
        if isinstance(node, ast.Subscript | ast.Attribute):
            raise self.refuse(node, "changing a value in place is outside the subset", "values never change: assign a new one to a name")
        raise self.outside(node)

    # expressions

    def expression(self, node: ast.expr, depth: int) -> Run:
        if depth > DEPTH_LIMIT:
            raise self.refuse(node, "the expression is nested too deeply", "split it into statements")
        method = getattr(self, f"expr_{type(node).__name__}", None)
        if method is None:
            raise self.outside(node)
        return method(node, depth + 1)

    def expr_Constant(self, node: ast.Constant, depth: int) -> Run:
        value = node.value
        if type(value) not in (bool, int, str, type(None)):
            raise self.refuse(node, f"a {type(value).__name__} is outside the subset", "values are bool, int, str, None and tuples of them")
        if (type(value) is int and value.bit_length() > BIT_LIMIT) or (isinstance(value, str) and len(value) > SIZE_LIMIT):
            raise self.refuse(node, "the constant is too large", f"at most {BIT_LIMIT} bits or {SIZE_LIMIT} characters")
        return lambda env, m: value

    def expr_Name(self, node: ast.Name, depth: int) -> Run:
        name, scope, own = node.id, self.scope, True
        while name not in scope.names and scope.outer is not None:
            scope, own = scope.outer, False
        if name in scope.names:

            def load(env: Env, m: Machine) -> Any:
                try:
                    return env[name]
                except KeyError:
                    if own:
                        text = f"cannot access local variable '{name}' where it is not associated with a value"
                        raise ProgramFault("UnboundLocalError", text) from None
                    text = f"cannot access free variable '{name}' where it is not associated with a value in enclosing scope"
                    raise ProgramFault("NameError", text) from None

            return load
        if name in self.module.constants:
            definition, value = self.module.constants[name]
            self.uses[name] = definition
            return lambda env, m: value
        if name in BUILTINS or name in self.module.functions:
            raise self.refuse(node, f"the function {name!r} is used as a value", "call it")
        raise self.refuse(node, f"unknown name {name!r}", "assign it first, or define it as a constant of the file")

    def expr_Tuple(self, node: ast.Tuple, depth: int) -> Run:
        parts = [self.expression(e, depth) for e in node.elts]
        return lambda env, m: checked(tuple([p(env, m) for p in parts]), m)

    def operator(self, op: ast.operator | ast.unaryop | ast.cmpop, at: ast.AST) -> Callable[..., Any]:
        name = type(op).__name__
        for table in (BINARY, UNARY, COMPARE):
            if name in table:
                return table[name]
        raise self.outside(op, at)

    def expr_BinOp(self, node: ast.BinOp, depth: int) -> Run:
        operate = self.operator(node.op, node)
        left, right = self.expression(node.left, depth), self.expression(node.right, depth)
        return lambda env, m: checked(operate(left(env, m), right(env, m)), m)

    def expr_UnaryOp(self, node: ast.UnaryOp, depth: int) -> Run:
        operate, value = self.operator(node.op, node), self.expression(node.operand, depth)
        return lambda env, m: operate(value(env, m))

    def expr_BoolOp(self, node: ast.BoolOp, depth: int) -> Run:
        first, *rest = [self.expression(v, depth) for v in node.values]
        stop_at = isinstance(node.op, ast.Or)

        def either(env: Env, m: Machine) -> Any:
            value = first(env, m)
            for part in rest:
                if bool(value) is stop_at:
                    break
                value = part(env, m)
            return value

        return either

    def expr_IfExp(self, node: ast.IfExp, depth: int) -> Run:
        test, body, orelse = (self.expression(e, depth) for e in (node.test, node.body, node.orelse))
        return lambda env, m: body(env, m) if test(env, m) else orelse(env, m)

    def expr_Compare(self, node: ast.Compare, depth: int) -> Run:
        for op, right in zip(node.ops, node.comparators, strict=True):
            if isinstance(op, ast.Is | ast.IsNot) and not (isinstance(right, ast.Constant) and right.value in (None, True, False)
                                                           and type(right.value) is not int):  # fmt: skip
                raise self.refuse(node, "`is` with anything but None, True or False is outside the subset", "use ==")
        first = self.expression(node.left, depth)
        rest = [(self.operator(op, node), self.expression(c, depth)) for op, c in zip(node.ops, node.comparators, strict=True)]
        if len(rest) == 1:
            (compare, other) = rest[0]
            return lambda env, m: compare(first(env, m), other(env, m))

        def chain(env: Env, m: Machine) -> Any:
            left, result = first(env, m), True
            for compare, right in rest:
                value = right(env, m)
                result = compare(left, value)
                if not result:
                    break
                left = value
            return result

        return chain

    def expr_Subscript(self, node: ast.Subscript, depth: int) -> Run:
        value = self.expression(node.value, depth)
        if isinstance(node.slice, ast.Slice):
            parts = [self.expression(e, depth) if e else None for e in (node.slice.lower, node.slice.upper, node.slice.step)]
            return lambda env, m: checked(value(env, m)[slice(*[p and p(env, m) for p in parts])], m)
        index = self.expression(node.slice, depth)
        return lambda env, m: value(env, m)[index(env, m)]

    def expr_Call(self, node: ast.Call, depth: int) -> Run:
        for argument in node.args:
            if isinstance(argument, ast.Starred):
                raise self.outside(argument)
        if node.keywords:
            raise self.refuse(node, "a keyword argument is outside the subset", "pass arguments by position")
        if isinstance(node.func, ast.Attribute):
            return self._method(node, node.func, depth)
        if not isinstance(node.func, ast.Name):
            raise self.refuse(node, "calling the result of an expression is outside the subset", "call a function by its name")
        name = node.func.id
        if self.scope.binds(name):
            raise self.refuse(node, f"{name!r} is a variable here, not a function", "rename the variable")
        if name in self.module.functions:
            return self._helper(node, name, depth)
        if name not in BUILTINS:
            raise self.refuse(node, f"unknown function {name!r}", f"known are {', '.join(BUILTINS)} and functions of the same file")
        if name in ITERATORS:
            mend = "walk over it in a for loop or inside sum, any, all, min, max or tuple"
            raise self.refuse(node, f"{name}() as a value is outside the subset", mend)
        if name in FOLDS and (len(node.args) == 1 or name == "sum"):
            return self._fold(node, name, depth)
        arguments = [self.expression(a, depth) for a in node.args]
        if name in ("any", "all") or (name == "len" and len(arguments) != 1):
            raise self.refuse(node, f"{name}() takes one argument", "pass one")
        native: Any = {"abs": abs, "bool": bool, "int": int, "len": len, "max": max, "min": min, "str": str, "tuple": tuple}[name]
        return lambda env, m: checked(native(*[a(env, m) for a in arguments]), m)

    def _method(self, node: ast.Call, func: ast.Attribute, depth: int) -> Run:
        name = func.attr
        if name not in METHODS or len(node.args) != 1:
            raise self.refuse(node, f"the method call .{name}() is outside the subset", "only .count(x) and .index(x) are known")
        value, argument = self.expression(func.value, depth), self.expression(node.args[0], depth)
        return lambda env, m: getattr(value(env, m), name)(argument(env, m))

    def _helper(self, node: ast.Call, name: str, depth: int) -> Run:
        function = self.module.function(name, node)
        if len(node.args) != len(function.parameters):
            takes = len(function.parameters)
            raise self.refuse(node, f"{name!r} takes {takes} arguments, not {len(node.args)}", "pass as many as it takes")
        self.uses[name] = function.node
        arguments = [self.expression(a, depth) for a in node.args]
        return lambda env, m: function.call(tuple([a(env, m) for a in arguments]), m).value

    # iterables and generator expressions

    def iterable(self, node: ast.expr, depth: int) -> Run:
        """What a for loop or a fold walks over: `enumerate` and the like are known here only."""
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ITERATORS):
            value = self.expression(node, depth)
            return lambda env, m: items_of(value(env, m))
        name, most = node.func.id, {"enumerate": 2, "range": 3, "reversed": 1, "zip": 8}[node.func.id]
        if node.keywords or any(isinstance(a, ast.Starred) for a in node.args) or not 1 <= len(node.args) <= most:
            raise self.refuse(node, f"{name}() with these arguments is outside the subset", "pass plain arguments by position")
        if name == "range":
            numbers = [self.expression(a, depth + 1) for a in node.args]
            return lambda env, m: range(*[n(env, m) for n in numbers])
        if name == "zip":
            parts = [self.iterable(a, depth + 1) for a in node.args]
            return lambda env, m: zipped([p(env, m) for p in parts])
        if name == "reversed":
            inner = self._range_or_value(node.args[0], depth + 1)
            return lambda env, m: items_of(_reversed(inner(env, m)))
        walked, *start = [self.iterable(node.args[0], depth + 1), *(self.expression(a, depth + 1) for a in node.args[1:])]
        return lambda env, m: enumerated(walked(env, m), *[s(env, m) for s in start])

    def _range_or_value(self, node: ast.expr, depth: int) -> Run:
        is_range = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "range"
        return self.iterable(node, depth) if is_range else self.expression(node, depth)

    def _fold(self, node: ast.Call, name: str, depth: int) -> Run:
        if not 1 <= len(node.args) <= (2 if name == "sum" else 1):
            raise self.refuse(node, f"{name}() with {len(node.args)} arguments is outside the subset", "pass what it walks over")
        fold: Fold = FOLDS[name]
        start = self.expression(node.args[1], depth) if len(node.args) == 2 else None
        walked = node.args[0]
        generator = self.generator(walked, depth) if isinstance(walked, ast.GeneratorExp) else None
        values = generator.first if generator else self.iterable(walked, depth)

        def run(env: Env, m: Machine) -> Any:
            items = values(env, m)
            if not isinstance(items, Items):
                items = iter(items)
            acc = start(env, m) if start else FOLD_START[name]
            if name == "sum" and isinstance(acc, str):
                raise TypeError("sum() can't sum strings [use ''.join(seq) instead]")
            if isinstance(items, TokenItems) and name == "tuple" and generator is None:
                return items.tokens
            if isinstance(items, Items):
                return fold_over(fold, acc, items, generator, env, m)
            if generator is None:
                return fold.run(acc, items, m)
            inner, produce = {k: env[k] for k in generator.free if k in env}, generator.produce
            return fold.run(acc, (v for item in items for v in produce(inner, item, m)), m)

        return run

    def generator(self, node: ast.GeneratorExp, depth: int) -> Generator:
        own = names_bound(*(c.target for c in node.generators))
        for name in sorted(own):
            if name in BUILTINS or name.startswith("__"):
                raise self.refuse(node, f"the name {name!r} is taken", "rename the variable")
        first = self.iterable(node.generators[0].iter, depth)
        inner = Compiler(self.module, Scope(own, self.scope), self.liveness, self.uses)
        levels: list[tuple[Run | None, Bind, list[Run]]] = []
        for i, part in enumerate(node.generators):
            if part.is_async:
                raise self.refuse(node, "async for is outside the subset", "write for")
            walked = None if i == 0 else inner.iterable(part.iter, depth)
            levels.append((walked, inner.target(part.target), [inner.expression(c, depth) for c in part.ifs]))
        element = inner.expression(node.elt, depth)
        free = tuple(sorted(names_read(node.elt, *node.generators) - own))

        def walk(level: int, env: Env, item: Any, m: Machine) -> Iterator[Any]:
            m.tick()
            _, bind, conditions = levels[level]
            bind(env, item, m)
            for condition in conditions:
                if not condition(env, m):
                    return
            if level + 1 == len(levels):
                yield element(env, m)
                return
            following = levels[level + 1][0]
            assert following is not None
            items = following(env, m)
            if isinstance(items, Items):
                raise NotAPass("walks over the tokens in a second `for` of one generator expression")
            for each in items:
                yield from walk(level + 1, env, each, m)

        def produce(env: Env, item: Any, m: Machine) -> Iterator[Any]:
            return walk(0, env, item, m)

        return Generator(next(_NUMBERS), free, first, produce)


def _reversed(value: Any) -> Any:
    return value[::-1] if isinstance(value, Tokens) else reversed(value)


def _peeks(node: ast.For) -> tuple[tuple[str, int], ...]:
    """(name, offset) of each `name[i + offset]` in a loop whose first or only target is i, where i and name stay as they are."""
    target = node.target.elts[0] if isinstance(node.target, ast.Tuple) and node.target.elts else node.target
    if not isinstance(target, ast.Name):
        return ()
    changed, found = names_bound(*node.body), set()
    for part in (n for statement in node.body for n in ast.walk(statement)):
        match part:
            case ast.Subscript(value=ast.Name(id=name), slice=ast.Name(id=i)):
                found.add((name, i, 0))
            case ast.Subscript(value=ast.Name(id=name), slice=ast.BinOp(ast.Name(id=i), ast.Add(), ast.Constant(value=int(offset)))):
                found.add((name, i, offset))
            case ast.Subscript(value=ast.Name(id=name), slice=ast.BinOp(ast.Name(id=i), ast.Sub(), ast.Constant(value=int(offset)))):
                found.add((name, i, -offset))
    return tuple(sorted({(name, d) for name, i, d in found if i == target.id and not changed & {name, i}}))


def _peeking(items: Any, peeks: tuple[tuple[str, int], ...], env: Env) -> Any:
    views = tuple((env[name], d) for name, d in peeks if isinstance(env.get(name), Tokens))
    if not views:
        return items
    if isinstance(items, range):
        return Peeking(Known(items), views)
    if isinstance(items, Zipped) and isinstance(items.parts[0], Known) and isinstance(items.parts[0].values, range):
        return Peeking(items, views)
    return items
