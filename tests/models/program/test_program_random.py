"""Random programs of the subset: the interpreter against CPython, automata against running the program on
every word.
"""

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from random_programs import TOKENS, Calm, Writer, brute_force, every_value, in_cpython, in_ours, language
from relucid.common.errors import InputError
from relucid.models.claims.domain import Domain
from relucid.models.claims.language import build_language
from relucid.models.program.program import Program

pytestmark = pytest.mark.filterwarnings("ignore::SyntaxWarning")
QUICK = settings(deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)


@settings(QUICK, max_examples=250)
@given(st.integers(0, 2**32), st.booleans())
def test_interpreter_behaves_as_cpython(seed, passes):
    rng = random.Random(seed)
    source = (Calm if rng.random() < 0.2 else Writer)(rng, passes).program()
    program, reference = Program(source, "f"), in_cpython(source)
    for _ in range(6):
        tokens = tuple(rng.choices(TOKENS, k=rng.randrange(6)))
        ours = in_ours(program, tokens)
        if ours != ("raise", ""):  # a limit, or an operation that the subset leaves out
            assert ours == reference(tokens), source


@settings(QUICK, max_examples=150)
@given(st.integers(0, 2**32))
def test_automata_agree_with_running_the_program(seed):
    rng = random.Random(seed)
    sized = rng.random() < 0.4
    source = rng.choice((Writer, Calm, Calm))(rng, True, sized).program()
    program = Program(source, "f")
    tokens = TOKENS[: rng.randint(1, 3)]
    shortest = rng.randint(0, 3)
    longest = max(1, shortest + rng.randint(0, 2))
    where = None
    if rng.random() < 0.5:  # keeps the program's faults out of the domain, most of the time
        test = rng.choice(
            (
                "len(tokens) > 1" if sized else "n == 1",
                '"a" in tokens',
                "n >= 1",
                'tokens[:1] == ("a",)' if sized else "n != 0 and tokens[0] == 'a'",
                "n % 2 == 0",
            )
        )
        count = "    n = 0\n    for t in tokens:\n        if t != 'b':\n            n += 1\n"
        where = Program(f"def w(tokens):\n{count}    return {test}\n", "w")
    domain = Domain(tokens, shortest, longest, "_", where)
    labels = every_value(program, domain)
    expected, tokens = brute_force(domain, program, labels)
    if expected == "program":
        with pytest.raises(InputError) as error:
            build_language(domain, program, labels)
        assert f"on input {tokens!r}" in str(error.value), source
    else:
        automaton = build_language(domain, program, labels)
        assert language(automaton) == expected, source
        assert automaton.size == len(expected)
