#!/usr/bin/env bash
# Pins what the back end vLLM runs in, with hashes: requirements.txt for GPUs (the image), requirements-cpu.txt for
# machines without one (the tests, `make vllm`). The library's own dependencies are taken from pyproject.toml.
set -euo pipefail
cd "$(dirname "$0")/../../.."

BIN=${BIN:-.venv/bin}
HERE=components/images/sample

pin() { # NAME OPTIONS...: NAME.in and pyproject.toml into NAME.txt
    "$BIN/uv" pip compile --quiet --python-version 3.11 --python-platform x86_64-manylinux_2_28 --no-emit-index-url \
        --no-header --no-annotate --generate-hashes "${@:2}" "$HERE/$1.in" pyproject.toml -o "$HERE/$1.txt"
}

pin requirements --extra kfp
pin requirements-cpu --override "$HERE/overrides-cpu.in"
