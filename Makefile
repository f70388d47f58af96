# Everything runs in .venv, which is made once per change of pyproject.toml or constraints.txt.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
READY := .venv/.ready
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: demo quick test test-slow fuzz fuzz-slow reliability coverage lint types clean

demo: $(READY)
	@$(BIN)/relucid distill quote_closing --out out/quote_closing
	@$(BIN)/relucid distill bracket_depth --out out/bracket_depth
	@echo "the same claim once more, by solvers only: a race"
	@$(BIN)/relucid prove out/bracket_depth/claim.toml --backends z3-bv,bitwuzla,cpsat,highs,z3-real,scip

# Before a commit, under a minute: lint, and the tests that fail first when something is wrong.
QUICK := tests/test_structure.py tests/test_shape.py tests/test_api.py tests/test_known_answers.py \
	tests/cli/test_cli_errors.py tests/models/onnx/test_operators.py tests/verifiers/test_evidence.py \
	tests/verifiers/proof/boxes/test_checker.py
quick: $(READY)
	@$(MAKE) --no-print-directory lint
	$(BIN)/python -m pytest -n 2 -q -m "not slow" -k "not alone and not corpus_by_the_race" $(QUICK)

test: $(READY)
	@$(MAKE) --no-print-directory lint
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "not slow"
	@$(MAKE) --no-print-directory fuzz

test-slow: $(READY)
	$(BIN)/python -m pytest -n 2 -m slow

# Random cases against the truth (tests/fuzz/README.md), two kinds at a time; what fails is saved in out/fuzz.
KINDS := $(shell sed -n 's/^    "\([a-z]*\)": ".*/\1/p' tests/fuzz/registry.py)
fuzz: MINUTES := 0.13
fuzz: FLAGS :=
fuzz-slow: MINUTES := 60
fuzz-slow: FLAGS := --busy 1 --failures 5
fuzz fuzz-slow: $(READY)
	@printf '%s\n' $(KINDS) | xargs -P 2 -I {} $(BIN)/python -m tests.fuzz {} --minutes $(MINUTES) $(FLAGS)

# The counts of docs/theory/reliability.md, kind=minutes: about half an hour on two cores.
LONG := words=11 words=11 words=11 graphs=9 proofs=4 programs=3 boxes=3 networks=3 hostile=3
reliability: $(READY)
	@rm -rf out/reliability && mkdir -p out/reliability
	@printf '%s\n' $(LONG) | tr = ' ' | xargs -P 2 -L 1 sh -c '$(BIN)/python -m tests.fuzz $$0 --minutes $$1 --json out/reliability/$$0-$$$$.json'
	@$(BIN)/python -m tests.fuzz table out/reliability/*.json --page docs/theory/reliability.md

# mypy finds the package under its own name, whatever the checkout's folder is called
ROOMS := common models encoders verifiers search pipeline reports benchmarks experiments cli
lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check -q .
	@$(MAKE) --no-print-directory types

types: $(READY)
	@mkdir -p .venv/types && ln -sfn "$(CURDIR)" .venv/types/relucid
	MYPYPATH=.venv/types $(BIN)/mypy $(addprefix -p relucid.,$(ROOMS))

# torch is pinned in constraints.txt to the CPU-size install (plain `torch` fetches gigabytes of CUDA).
$(READY): pyproject.toml setup.py constraints.txt
	@echo "setting up .venv (once; a minute or two)"
	@rm -f $@
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/pip install -q -c constraints.txt torch==2.13.0 -e '.[test]' >.venv/pip.log 2>&1 || (cat .venv/pip.log; exit 1)
	@touch $@

clean:
	rm -rf .venv build dist *.egg-info

# The checker's own tests reach every branch of what has to be trusted.
coverage: $(READY)
	@COVERAGE_FILE=.venv/coverage $(BIN)/python -m coverage run --rcfile=tests/verifiers/proof/coverage.ini -m pytest -q \
		tests/verifiers/proof/test_tree.py tests/verifiers/proof/words tests/verifiers/proof/boxes
	@COVERAGE_FILE=.venv/coverage $(BIN)/python -m coverage report --rcfile=tests/verifiers/proof/coverage.ini
