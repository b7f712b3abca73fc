# make course | make test | make lab: each sets up its own .venv first. Windows: see README.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/complete
EXTRAS := solar-cells,test

.PHONY: setup course test test-slow bench lab lint clean notebooks

setup: $(STAMP)

# uv where it is there, else venv and pip; both compile bytecode, or every notebook would pay seconds at its start
$(STAMP): pyproject.toml constraints.txt
	@echo "Setting up $(VENV) (about a minute; 3 GB of disk)"
	@if command -v uv >/dev/null 2>&1; then \
	  uv venv --quiet --allow-existing --python "$(PYTHON)" $(VENV) && \
	  UV_COMPILE_BYTECODE=1 uv pip install --quiet --python $(BIN)/python -c constraints.txt -e ".[$(EXTRAS)]"; \
	else \
	  $(PYTHON) -m venv $(VENV) && \
	  PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pip install --quiet --disable-pip-version-check \
	    -c constraints.txt -e ".[$(EXTRAS)]"; \
	fi
	@touch $(STAMP)

course: $(STAMP)
	$(BIN)/python -m tutorial_utils course

test: $(STAMP)
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "not slow"

test-slow: $(STAMP)
	$(BIN)/python -m pytest -m slow

bench: $(STAMP)
	$(BIN)/python -m benchmarks.recipe

lab: $(STAMP)
	$(BIN)/jupyter lab notebooks

notebooks: $(STAMP)
	$(BIN)/python notebooks/derive.py

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

clean:
	rm -rf $(VENV) runs build dist .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
