# Everything a developer or operator runs. `make help` lists it.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
NEW_ENOUGH := 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; name it with: make PYTHON=python3.12 …")'
# For checks only: settings as in production, with placeholder keys.
CHECK_ENV := SCHEME=https DEBUG=False SECRET_KEY=9f8c1e6b7a5d4c3b2a1f0e9d8c7b6a5f4e3d2c1b0a9f8e7d6c5b4a3f2e1d0c9b \
	ENCRYPTION_KEY="a passphrase for checks alone" DATABASE_URL=sqlite:///:memory: WEB_CONCURRENCY=1 REDIS_URL= EMAIL_URL=memorymail://

.PHONY: help install dev lock demo test newest check audit serve bench soak screens lighthouse messages format clean

help: ## Show this list.
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 12

install: $(VENV)/.installed ## Create .venv with what the portal needs at run time.

dev: $(VENV)/.installed-dev ## The same, with what tests and checks need.

$(VENV)/.installed: requirements.lock
	@$(PYTHON) -c $(NEW_ENOUGH)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@touch $@

# With uv, in a tenth of the time. pip installs uv itself, by its hashes too.
$(VENV)/.installed-dev: requirements-dev.lock
	@$(PYTHON) -c $(NEW_ENOUGH)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	sed -n '/^uv==/,/# via/p' requirements-dev.lock > $(VENV)/uv.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(VENV)/uv.lock
	$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements-dev.lock
	@touch $(VENV)/.installed $@

# One version of each package, for every Python and system, by the hashes of its files on PyPI.
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --custom-compile-command "make lock"
lock: dev ## Write both locks after a change of requirements*.txt (ARGS="--upgrade" takes newer versions below them).
	$(LOCK) --output-file requirements.lock requirements.txt $(ARGS)
	$(LOCK) --output-file requirements-dev.lock --constraint requirements.lock requirements-dev.txt $(ARGS)

demo: install ## Two brands, a stand-in carrier and a mailbox, on this machine.
	@exec $(BIN)/python manage.py demo $(ARGS)

# Two at a time for each CPU: many tests wait for a browser, a server or a timeout.
WORKERS = $$(( 2 * $$(getconf _NPROCESSORS_ONLN) ))
test: dev ## Run the tests (ARGS="…" goes to pytest).
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(ARGS)

# In a separate environment, without the locks.
newest: ## Run the tests, without browser, on PyPI's newest Django (PYTHON=python3.14: on that Python).
	test -x .newest/bin/python || $(PYTHON) -m venv .newest
	.newest/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	.newest/bin/python -m pip install --quiet --disable-pip-version-check --upgrade django
	.newest/bin/python -m pytest -n $(WORKERS) --dist worksteal --ignore tests/browser -W default::DeprecationWarning \
		-W default::PendingDeprecationWarning $(ARGS)

check: dev ## Lint, texts, types, migrations, deploy check, security lint.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(CHECK_ENV) $(BIN)/python -m tests.copy_lint
	$(CHECK_ENV) $(BIN)/mypy
	$(CHECK_ENV) $(BIN)/python manage.py makemigrations --check --dry-run
	$(CHECK_ENV) $(BIN)/python manage.py check --deploy --fail-level WARNING
	$(BIN)/bandit --quiet --severity-level medium -c pyproject.toml -r portal accounts billing

audit: dev ## Look for known vulnerabilities in what is installed; asks PyPI, so it needs the internet.
	$(BIN)/pip-audit --strict --progress-spinner off

serve: install ## The production server and its worker, with the settings of the environment or .env.
	$(BIN)/python manage.py collectstatic --no-input --verbosity 0
	$(BIN)/python manage.py check --deploy --database default --fail-level WARNING
	@$(BIN)/python manage.py migrate --check || { echo "Migrations are pending: run $(BIN)/python manage.py migrate"; exit 1; }
	exec $(BIN)/python manage.py serve

bench: dev ## Measure pages, calls, a million customers, memory and servers; writes docs/benchmarks.md (ARGS="pages" a part).
	$(BIN)/python -m tests.bench $(ARGS)

soak: dev ## Bursts, single faults and faults at random on two nodes; writes docs/soak.md (ARGS="--only frozen" a part).
	$(BIN)/python -m tests.soak $(ARGS)

screens: dev ## Take the pictures for the README and, into .screens, of every state of every page.
	$(BIN)/python -m tests.browser.screens $(ARGS)

lighthouse: dev ## Measure six pages with Lighthouse as on a phone; needs Node.
	$(BIN)/python -m tests.browser.lighthouse $(ARGS)

POT := locale/django.pot
messages: dev ## Bring the catalogues in locale/ up to date with the texts, and compile them.
	PYTHONPATH=. $(BIN)/pybabel --quiet extract -F babel.cfg -k gettext_lazy -k gettext_noop -k Words -k ngettext_lazy:1,2 -k pgettext_lazy:1c,2 \
		--no-location --sort-output -o $(POT) .
	for language in ar es zh_Hans; do \
		$(BIN)/pybabel --quiet update -D django -i $(POT) -d locale -l $$language --no-fuzzy-matching --ignore-obsolete --ignore-pot-creation-date --width 110; \
	done
	rm $(POT)
	$(BIN)/pybabel --quiet compile -D django -d locale

format: dev ## Format the code.
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean: ## Remove everything that make has created.
	rm -rf $(VENV) .newest .demo .screens staticfiles .pytest_cache .mypy_cache .ruff_cache .hypothesis
