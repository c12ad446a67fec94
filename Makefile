# Everything there is to do with a clone. Needs a Rust toolchain and a C compiler; what else a target needs
# (PostgreSQL, cargo-deny, buf) it installs by itself, outside the clone.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

CARGO ?= cargo
FLORIN_TEST_SCALE ?= 1
export FLORIN_TEST_SCALE

TOOLS := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/florin/tools
export FLORIN_TEST_TOOLS := $(TOOLS)

FLORIN := $(CARGO) run --locked -p florin-server --bin florin --
TARGET = $$($(CARGO) metadata --locked --no-deps --format-version 1 | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')

CHECKS := fmt lint deny proto docs

.PHONY: help run demo test soak check checks $(CHECKS) bench clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## the server, on var/florin.db, in sandbox mode
	@mkdir -p var
	$(FLORIN) serve

demo: ## the whole story told by the command line, against a sandbox server of its own
	$(CARGO) build --locked -p florin-server --bin florin
	tests/tools/demo "$(TARGET)/debug/florin"

# Compiled first, so that the cluster lives only while tests run; `--no-run` also builds the test bed itself.
test: ## every test, on SQLite and on PostgreSQL (FLORIN_TEST_SCALE=1)
	$(CARGO) test --workspace --locked --no-run
	"$(TARGET)/debug/florin-testbed" run --require-both -- $(CARGO) test --workspace --locked --no-fail-fast

soak: ## every test, with twenty times the cases and load
	$(MAKE) test FLORIN_TEST_SCALE=20

check: $(CHECKS) ## formatting, lints, licences, protobuf rules, documentation

# The names of the parts of `check`, for continuous integration.
checks:
	@echo $(CHECKS)

fmt: ## formatting
	$(CARGO) fmt --all --check

lint: ## clippy, warnings denied
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings

deny: ## banned crates, licences, sources
	tests/tools/cargo-deny --locked check bans licenses sources

proto: ## protobuf rules
	tests/tools/buf lint

docs: ## documentation, broken links denied
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --locked

bench: ## benchmarks, on SQLite and on PostgreSQL
	$(CARGO) build --locked -p florin-testbed
	"$(TARGET)/debug/florin-testbed" run -- $(CARGO) bench --workspace --benches --locked

clean: ## build artefacts and the development database
	$(CARGO) clean
	rm -rf var
