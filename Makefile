# `make demo` and `make test` are all a newcomer needs; everything they bring stays in this folder.
# LIBTORCH=… uses a libtorch that is already there. HYPER_FLOW_CUDA=1 or 0 overrules the look for an NVIDIA driver.

.PHONY: demo test setup build

demo: build
	target/release/hyper-flow run pipelines/digits.ron

test: setup
	cargo test --workspace --no-fail-fast

build: setup
	cargo build --release -p hyper-flow -p hyper-flow-nodes

setup:
	python3 nodes/libtorch/setup.py
