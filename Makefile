# make course | make test | make lab | make book: each sets up its own .venv first. Windows: see README.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/complete
EXTRAS := solar-cells,lite,cluster,export,book,test

.PHONY: setup course test test-slow bench lab book lint clean notebooks

setup: $(STAMP)

# uv where it is there, else venv and pip; both compile bytecode, or every notebook would pay seconds at its start
UV := $(shell command -v uv 2>/dev/null)
MAKE_VENV := $(if $(UV),uv venv --quiet --allow-existing --python "$(PYTHON)",$(PYTHON) -m venv) $(VENV)
INSTALL := $(if $(UV),UV_COMPILE_BYTECODE=1 uv pip install --quiet --python $(BIN)/python,PYTHONDONTWRITEBYTECODE= \
  $(BIN)/python -m pip install --quiet --disable-pip-version-check) -c constraints.txt

$(STAMP): pyproject.toml constraints.txt
	@echo "Setting up $(VENV) (about a minute; 3 GB of disk)"
	@$(MAKE_VENV)
	@$(INSTALL) -e ".[$(EXTRAS)]"
	@touch $(STAMP)

course: $(STAMP)
	$(BIN)/python -m tutorial_utils course

test: $(STAMP)
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "not slow"

test-slow: $(STAMP)
	$(BIN)/python -m pytest -n 2 --dist loadfile -m slow

bench: $(STAMP)
	$(BIN)/python -m benchmarks.forward
	$(BIN)/python -m benchmarks.scaling
	$(BIN)/python -m benchmarks.recipe
	$(BIN)/python -m benchmarks.results

lab: $(STAMP)
	$(BIN)/jupyter lab notebooks

book: $(STAMP)
	$(BIN)/python -m book.build

notebooks: $(STAMP)
	$(BIN)/python notebooks/source/derive.py

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

clean:
	rm -rf $(VENV) runs build dist book/_build book/_executed book/_runs book/_vendor .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
