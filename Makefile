# Every recipe of the project on one page; `make` alone tells what there is. CI runs `test` and `conformance`.

RELEASE := target/release/stepwell
DEBUG   := target/debug/stepwell

# cargo-nextest runs the tests of all crates side by side; cargo's own runner does the same work, slower.
ifneq ($(shell command -v cargo-nextest 2>/dev/null),)
  RUN_TESTS := cargo nextest run --workspace --no-fail-fast
else
  RUN_TESTS := cargo test --workspace --no-fail-fast
endif

.PHONY: help setup demo test conformance bench growth steady parts instructions sim soak power fuzz release
.DEFAULT_GOAL := help

help:  ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup:  ## install what the tests need and is missing (.venv, Debian packages)
	scripts/setup

release:  ## build the binary: target/release/stepwell
	cargo build --release --locked -p cli

demo: setup release  ## run the four sample projects of examples/ on a fresh server
	STEPWELL=$(abspath $(RELEASE)) examples/run

test: setup  ## format, lints, all Rust tests, then real AWS clients against the binary
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	$(RUN_TESTS)
	cargo build --locked --workspace --bins --examples
	cargo build --locked --manifest-path tests/wire/clients/rust/Cargo.toml --target-dir target/clients/rust
	target/debug/soak --server $(DEBUG) --rounds 200
	STEPWELL=$(abspath $(DEBUG)) .venv/bin/python -m pytest tests/wire

conformance: setup release  ## replay what AWS answered (CONFORMANCE_DIR, default ../shared/conformance)
	scripts/conformance
	scripts/conformance --laptop

# Each seed is a world of its own: SEEDS=7 is one, SEEDS=0..100000 many, SIM_SECONDS=3600 as many as fit.
SEEDS ?= 0..20000
sim: export SEEDS := $(SEEDS)
sim:  ## the engine in simulated worlds, for as long as you like (SEEDS=0..100000, SIM_SECONDS=3600)
	cargo test --release --locked -p sim --test seeds every_seed -- --nocapture

ROUNDS ?= 3000
soak: release  ## kill -9 under load, thousands of times (ROUNDS=3000), and compare the books
	cargo build --release --locked -p soak
	target/release/soak --server $(RELEASE) --rounds $(ROUNDS)

STORES ?= 500
power: export POWER_STORES := $(STORES)
power:  ## cut the power under the store, 20 times for each of STORES=500
	cargo test --release --locked -p powercut --test store what_was -- --nocapture

bench: release  ## measure the workloads and print figure | must | aim | got (WORK="w1 w3" for some of them)
	cargo build --release --locked -p bench
	target/release/bench $(or $(WORK),all) --server $(RELEASE)

growth: release  ## what a transition and a page cost as the store grows (SIZES=1000,10000,100000,1000000)
	cargo build --release --locked -p bench
	target/release/bench growth --server $(RELEASE) $(if $(SIZES),--executions $(SIZES))

parts:  ## how long the parts take: a turn, a commit, a path, a page, a request
	cargo bench --locked -p parts

instructions:  ## compare the instructions of the parts with those that are kept (KEEP=1 keeps the new ones)
	cargo build --profile profiling --locked -p parts
	target/profiling/parts $(if $(KEEP),write,check) bench/instructions.txt

MINUTES ?= 60
steady: release  ## W1 for an hour (MINUTES=60): fails where the server's memory grows, prints it once a minute
	cargo build --release --locked -p bench
	target/release/bench steady --server $(RELEASE) --minutes $(MINUTES)

# Coverage-guided, on stable Rust without a sanitizer. Needs cargo-fuzz (`cargo install cargo-fuzz`) and a C++ compiler.
FUZZ_SECONDS ?= 600
DOORS ?= definition expression log path request token
fuzz:  ## hostile bytes for every door (FUZZ_SECONDS=600 each, DOORS="path token"); the corpus is kept in fuzz/corpus
	cd fuzz && for door in $(DOORS); do \
	  cargo fuzz run -s none $$door -- -max_total_time=$(FUZZ_SECONDS) -timeout=20 -rss_limit_mb=2048 -max_len=4096 || exit 1; \
	done
