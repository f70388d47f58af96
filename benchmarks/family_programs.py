"""The programs of the token benchmark: source texts in the readable subset of Python.

`families.py` makes claims of them.  `label` is the program; `inside`, where there is one, is the predicate of
the domain.  Published results depend on these texts, so they do not change within a version of the suite.
"""

from __future__ import annotations

QUOTE = '''
def label(tokens):
    """The quote that is open."""
    return "'" if "'" in tokens else '"'


def inside(tokens):
    return tokens.count("'") + tokens.count('"') == 1
'''

DEPTH = '''
def label(tokens):
    """Two brackets or more are open at the end."""
    return tokens.count("[") - tokens.count("]") >= 2


def inside(tokens):
    depth = 0
    for t in tokens:
        if t == "[":
            depth += 1
        elif t == "]":
            depth -= 1
        if depth < 0 or depth > DEEPEST:
            return False
    return True
'''

MAJORITY = '''
def label(tokens):
    """The commonest of three; the first one where they tie."""
    a = tokens.count("a")
    b = tokens.count("b")
    c = tokens.count("c")
    if a >= b and a >= c:
        return "a"
    return "b" if b >= c else "c"
'''

LAST_MARK = '''
def label(tokens):
    """The last mark was an a."""
    mark = "b"
    for t in tokens:
        if t == "a" or t == "b":
            mark = t
    return mark == "a"
'''

CLAMPED = '''
def label(tokens):
    """The depth, kept between 0 and 3, ends at 2 or more."""
    depth = 0
    for t in tokens:
        if t == "(":
            depth = min(depth + 1, 3)
        elif t == ")":
            depth = max(depth - 1, 0)
    return depth >= 2
'''

ORDER = '''
def label(tokens):
    """An a occurs and, later, a b."""
    seen = 0
    for t in tokens:
        if t == "a" and seen == 0:
            seen = 1
        elif t == "b" and seen == 1:
            seen = 2
    return seen == 2
'''

ADJACENT = '''
def label(tokens):
    """Somewhere an a is followed by a b."""
    before = ""
    for t in tokens:
        if before == "a" and t == "b":
            return True
        before = t
    return False
'''


def returns(expression: str, doc: str) -> str:
    """Make a program of one line."""
    return f'\ndef label(tokens):\n    """{doc}"""\n    return {expression}\n'


def at_least(k: int) -> str:
    return returns(f'tokens.count("a") >= {k}', f"At least {k} times a.")


def weighted(k: int) -> str:
    return returns(
        f'2 * tokens.count("a") + tokens.count("b") >= {k}', f"The weights of a (2) and b (1) reach {k}."
    )


def two_sets(k: int) -> str:
    return returns(
        f'tokens.count("a") + tokens.count("b") - tokens.count("c") > {k}', "Enough a and b, against c."
    )


def band(low: int, high: int) -> str:
    return returns(f'{low} <= tokens.count("a") <= {high}', f"From {low} to {high} times a.")


MORE = returns('tokens.count("a") > tokens.count("b")', "More a than b.")
NO_FEWER = returns('tokens.count("a") >= tokens.count("b")', "No fewer a than b.")
FLAG = returns('"a" in tokens and "b" in tokens', "Both a and b occur.")
PARITY = returns('tokens.count("a") % 2 == 1', "An odd number of a.")
MOD3 = returns('tokens.count("a") % 3', "The number of a, modulo 3.")
MOD4 = MOD3.replace("% 3", "% 4 % 3")


def position(index: int) -> str:
    return returns(f'tokens[{index}] == "a" or tokens[{index}] == "b"', f"What stands at place {index}.")


LOOKUP = returns('tokens[0] == "a" and tokens[3] == "b" or tokens[0] == "b"', "A rule about two places.")
