# Two commands from a fresh clone: `make app` and `make test`.
#= PORT=8600                    another port of the app
#= GPU=1 or GPU=0               CUDA's libraries or none; by default where an NVIDIA driver is loaded
#= ENGINE=jax or ENGINE=torch   an environment without TensorFlow; ENGINE=tensorflow takes it back
#= PYTHON=/path/to/python3.12   the interpreter of the environment
PORT ?= 8501
BIN := .venv/bin
# Compiled modules are kept, whatever the environment says: the app and the tests start many Python processes.
unexport PYTHONDONTWRITEBYTECODE

# A choice of tests (make test PYTEST="-k colour") may lie in one of the two processes alone: 5 says that there were none.
NONE = $(if $(PYTEST),|| [ $$? = 5 ])

.PHONY: help app test suite browser slow quick lint demo-assets screenshots costs benchmark clean

app: ## install what is missing and open the app on 127.0.0.1:8501, or PORT
	@bash .ci/prepare app
	@$(BIN)/python -m segcore app --port $(PORT)

test: ## linters, types and layers, and beside them unit, page and browser tests
	@bash .ci/prepare test
	@$(MAKE) --no-print-directory -j 3 lint browser suite

# One process has all browser tests: one Chromium, one server of the demo, and no TensorFlow to import.
browser:
	@$(BIN)/python -m pytest -m "not slow" tests/browser $(PYTEST) $(NONE)

suite:
	@$(BIN)/python -m pytest -n 2 --max-worker-restart 0 --dist loadfile --no-loadscope-reorder -m "not slow" \
		--ignore tests/browser $(PYTEST) $(NONE)

slow: ## what `make test` leaves out: the long proofs, and the fault test with all its hundred kills
	@bash .ci/prepare test
	@$(BIN)/python -m pytest -m slow $(PYTEST)

quick: lint ## linters, and the tests that need neither TensorFlow nor a browser
	@$(BIN)/ruff format --check -q .
	@$(BIN)/python -m pytest -m "not tensorflow and not browser" $(PYTEST)

lint: ## style, types, layers of imports, code that nothing uses
	@bash .ci/prepare test
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check -q .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo --cache-dir .ruff_cache/imports
	@$(BIN)/vulture

demo-assets: ## make assets/demo again: the synthetic set's five members and their probabilities
	@bash .ci/prepare app
	@work=$$(mktemp -d) && $(BIN)/python -m segcore demo --rebuild assets/demo --workspace "$$work" && rm -rf "$$work"

screenshots: ## take the guide's pictures anew: docs/images, light and dark, from the running app
	@bash .ci/prepare test
	@$(BIN)/python benchmarks/screenshots.py

costs: ## measure the cost column of the catalogue; some rows: make costs ONLY="unet tiny"
	@bash .ci/prepare test
	@PYTHONPATH=. $(BIN)/python benchmarks/measure_costs.py $(ONLY)

benchmark: ## measure against the named peers, print ratios; one of them: make benchmark ONLY=viewer
	@bash .ci/prepare test
	@for b in benchmarks/bench_$(or $(ONLY),*).py; do echo "== $$b"; PYTHONPATH=. $(BIN)/python $$b || exit 1; done

help: ## list targets and variables
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1 \2/p' Makefile | \
		while read -r name what; do printf 'make %-13s %s\n' "$$name" "$$what"; done
	@printf '\nVariables, as in make app PORT=8600:\n'
	@sed -n 's/^#= /  /p' Makefile

clean: ## remove the environment and caches; never a workspace
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis build *.egg-info
