# indimail-kit: what there is to do here. `make` alone lists it.
#
# Settings (each may stand behind the command, as in `make lab LAB_ARGS=--no-browser`):
#   LAB_ARGS    handed to `indimail-kit notebook`, which hands on to JupyterLab what it does not know itself
#   TEST_ARGS   handed to pytest, for a part of the tests: TEST_ARGS="tests/auth -x"
#   COURSE_ARGS handed to the run of the course: notebooks/02_qhpsi.ipynb --learner ann
#   BENCH_ARGS  handed to each benchmark
#   PYTHON      the Python to build .venv/ with, instead of the newest one found
#   APT         `no`: install no system packages

.DEFAULT_GOAL := help
.PHONY: help lab test lint crash sweep course bench docs audit screenshots
MAKEFLAGS += --no-print-directory

export APT PYTHON

BIN := .venv/bin
BENCHES := $(sort $(filter-out %/conftest.py,$(wildcard tests/bench/*.py)))

help: ## Show this list
	@echo "indimail-kit: see a mail server think"
	@echo
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(firstword $(MAKEFILE_LIST)) | while IFS="$$(printf '\t')" read -r name text; do printf '  make %-12s %s\n' "$$name" "$$text"; done
	@echo
	@sed -n 's/^#   \([A-Z_]*\)  */\1\t/p' $(firstword $(MAKEFILE_LIST)) | while IFS="$$(printf '\t')" read -r name text; do printf '  %-17s %s\n' "$$name" "$$text"; done

lab: ## Set up what is missing, then open JupyterLab on the first notebook
	@tools/setup lab
	$(BIN)/indimail-kit notebook $(LAB_ARGS)

test: ## Set up what is missing, then run every test, the browser ones included
	@tools/setup test
	@INDIMAIL_KIT_CHROMIUM="$$(tools/find-chromium)" tools/run-tests $(TEST_ARGS)

lint: ## Check style, types, import directions and spelling; changes nothing
	@tools/setup test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell

crash: ## Break the queue at every system call, and print what was lost, doubled or left (minutes)
	@tools/setup test
	INDIMAIL_KIT_CRASH=full $(BIN)/python -m pytest -m crash -p no:randomly -o faulthandler_timeout=1200 $(if $(TEST_ARGS),$(TEST_ARGS),tests)

sweep: ## Attack the lab, the verbs and the files in full, where `make test` does a part of it
	@tools/setup test
	INDIMAIL_KIT_SWEEP=full $(BIN)/python -m pytest -s -p no:randomly $(if $(TEST_ARGS),$(TEST_ARGS),tests/security tests/widgets/test_log_hostile.py)

course: ## Run every notebook unanswered and with every exercise solved, and print what it took
	@tools/setup test
	@$(BIN)/python tools/run_course.py $(COURSE_ARGS)

bench: ## Measure, and print ratios against the parts we build on
	@tools/setup test
	@for script in $(BENCHES); do echo "== $$script"; $(BIN)/python "$$script" $(BENCH_ARGS) || exit 1; done

docs: ## Build the documentation in build/docs/: every page, verb, table and public name; asks nothing of the network
	@tools/setup docs
	$(BIN)/python docs/site/build.py build/docs
	@echo "Open build/docs/index.html"

audit: ## Ask whether a package of this environment has a known vulnerability; needs the network
	@tools/setup test
	$(BIN)/python tools/audit.py

screenshots: ## Make the pictures of docs/images/ anew, from the real notebook in Chromium
	@tools/setup test
	INDIMAIL_KIT_CHROMIUM="$$(tools/find-chromium)" INDIMAIL_KIT_SCREENSHOTS="$(CURDIR)/docs/images" $(BIN)/python -m pytest -m browser -p no:randomly tests/browser
