# Every recipe of the project on one page; `make` alone tells what there is. CI runs `test` and `conformance`.

RELEASE := target/release/stepwell
DEBUG   := target/debug/stepwell

# cargo-nextest runs the tests of all crates side by side; cargo's own runner does the same work, slower.
ifneq ($(shell command -v cargo-nextest 2>/dev/null),)
  RUN_TESTS := cargo nextest run --workspace --no-fail-fast
else
  RUN_TESTS := cargo test --workspace --no-fail-fast
endif

.PHONY: help setup demo test conformance bench release
.DEFAULT_GOAL := help

help:  ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup:  ## install what the tests need and is missing (.venv, Debian packages)
	scripts/setup

release:  ## build the binary: target/release/stepwell
	cargo build --release --locked -p cli

demo: setup release  ## run the three sample projects of examples/ on a fresh server
	STEPWELL=$(abspath $(RELEASE)) examples/run

test: setup  ## format, lints, all Rust tests, then real AWS clients against the binary
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	$(RUN_TESTS)
	@if [ -d tests/wire ]; then \
	  cargo build --locked -p cli && \
	  STEPWELL=$(abspath $(DEBUG)) .venv/bin/python -m pytest tests/wire; \
	fi

conformance: setup release  ## replay what AWS answered (CONFORMANCE_DIR, default ../shared/conformance)
	scripts/conformance
	scripts/conformance --laptop

bench: release  ## measure the workloads and print figure | must | aim | got
	cargo build --release --locked -p bench
	target/release/bench all --server $(RELEASE)
