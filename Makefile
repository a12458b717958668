# make run | stop | test | lint | bench | bench-export | rehearse | lighthouse | shots      PORT=8000 HOST=127.0.0.1 VAR_DIR=var PYTHON=python3

PYTHON ?= python3
PORT ?= 8000
HOST ?= 127.0.0.1
VAR_DIR ?= var
PYTEST_ARGS ?=
# make bench LISTS="--scale full" writes ten million draws first: some ten minutes
LISTS ?=
# Half of the suite waits for browsers and servers; each worker has a database and a Redis database of its own.
WORKERS ?= logical
export PORT HOST

VENV := .venv
PY := $(VENV)/bin/python
READY := $(VENV)/.requirements-installed
# Tests, figures and pictures keep servers of their own, so that they can run beside make run.
APART = VAR_DIR="$(VAR_DIR)/$(1)" $(PY) -m huigou.supervisor with-servers
# Checks of code read the settings and need no server; check --deploy reads them as a deployment would.
CHECKS = VAR_DIR="$(VAR_DIR)/lint"
KEY = "$$($(PY) -c 'import secrets; print(secrets.token_hex(32))')"
DEPLOYED = $(CHECKS) DATABASE_URL=postgres://web:x@db/huigou REDIS_URL=redis://redis/0 SECRET_KEY=$(KEY) \
  FIELD_KEY=$(KEY) SIGNING_KEY=$(KEY) ALLOWED_HOSTS=huigou.example \
  SITE_URL=https://huigou.example SMS_BACKEND=http SMS_GATEWAY_URL=https://sms.example/send

.PHONY: run stop install test coverage lint format bench bench-books bench-export rehearse lighthouse shots
.DEFAULT_GOAL := run

$(READY): requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "需要 Python 3.11 或更高版本，现为：$$($(PYTHON) -V 2>&1)。可用 make PYTHON=python3.11 指定"; exit 1; }
	@[ -x $(PY) ] || { echo "建立 Python 环境 $(VENV) …"; $(PYTHON) -m venv $(VENV) || \
	  { echo "无法建立虚拟环境，Debian/Ubuntu 请先安装 python3-venv"; rm -rf $(VENV); exit 1; }; }
	@echo "安装依赖（首次约一两分钟）…"
	@$(PY) -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

install: $(READY)

run: $(READY)
	@VAR_DIR="$(VAR_DIR)" exec $(PY) -m huigou.supervisor run

stop: $(READY)
	@VAR_DIR="$(VAR_DIR)" exec $(PY) -m huigou.supervisor stop

test: $(READY)
	@$(call APART,test) $(PY) -m pytest -n $(WORKERS) --maxprocesses 8 --dist worksteal $(PYTEST_ARGS)

coverage: $(READY)
	@$(call APART,test) $(PY) -m pytest --cov --cov-report=term-missing:skip-covered $(PYTEST_ARGS)

lint: $(READY)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(CHECKS) $(VENV)/bin/mypy
	$(VENV)/bin/lint-imports
	$(CHECKS) $(PY) -W ignore::RuntimeWarning manage.py makemigrations --check --dry-run
	@$(DEPLOYED) $(PY) manage.py check --deploy --fail-level WARNING

format: $(READY)
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

bench: $(READY)
	@$(call APART,bench) --migrate $(PY) manage.py bench_draw $(ARGS)
	@$(call APART,bench) --migrate $(PY) manage.py bench_lists $(LISTS)

bench-export: $(READY)
	@$(call APART,bench) --migrate $(PY) manage.py bench_export $(ARGS)

bench-books: $(READY)
	@$(call APART,bench) --migrate $(PY) manage.py bench_books $(ARGS)

rehearse: $(READY)
	@$(call APART,rehearse) --migrate $(PY) manage.py rehearse $(ARGS)

# Pictures and judgements play on a database that was never used before.
lighthouse: $(READY)
	@rm -rf "$(VAR_DIR)/lighthouse/postgres"
	@$(call APART,lighthouse) --migrate $(PY) -m tests.lighthouse $(ARGS)

shots: $(READY)
	@rm -rf "$(VAR_DIR)/shots/postgres"
	@$(call APART,shots) --migrate $(PY) -m tests.screenshots $(ARGS)
