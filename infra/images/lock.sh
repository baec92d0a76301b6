#!/usr/bin/env bash
# Pins what goes into the images: components/images/NAME/requirements.txt, with hashes, from the extras in
# components/ratchet/images.py. Versions are those of requirements.txt. `make lock` runs it, and for sample, which has
# vLLM's own, components/images/sample/lock.sh.
set -euo pipefail
cd "$(dirname "$0")/../.."

BIN=${BIN:-.venv/bin}

for image in base train grade dashboard; do
    options=$("$BIN/python" -c 'import sys; from ratchet.images import EXTRAS
print(*(f"--extra={extra}" for extra in EXTRAS[sys.argv[1]]))' "$image")
    read -ra extras <<<"$options"
    "$BIN/uv" pip compile --quiet --python-version 3.11 --no-emit-index-url --no-header --no-annotate --generate-hashes \
        --constraints requirements.txt "${extras[@]}" pyproject.toml -o "components/images/$image/requirements.txt"
done
