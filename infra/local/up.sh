#!/usr/bin/env bash
# Starts a local cluster in docker (kind) and loads the images that were built here. Does nothing where KUBECONFIG is set:
# that cluster is used. Prints the line that sets KUBECONFIG.
#
#   up.sh [IMAGE...]     IMAGE is base, train, grade or sample; without one, all that `make images` has built
set -euo pipefail
cd "$(dirname "$0")/../.."

BIN=${BIN:-.venv/bin}
CLUSTER=ratchet
KUBECONFIG_FILE=$PWD/dist/local.kubeconfig

say() { echo "up.sh: $*" >&2; }
die() { say "$*"; exit 1; }

require() {
    local program
    for program in docker kind kubectl; do
        command -v "$program" >/dev/null || die "$program is not installed; or set KUBECONFIG to a cluster of yours"
    done
    docker info >/dev/null 2>&1 || die "docker does not answer: start it, or set KUBECONFIG to a cluster of yours"
}

start() {
    mkdir -p dist
    if kind get clusters 2>/dev/null | grep -qx "$CLUSTER"; then
        kind export kubeconfig --name "$CLUSTER" --kubeconfig "$KUBECONFIG_FILE" >/dev/null
    else
        kind create cluster --config infra/local/kind.yaml --kubeconfig "$KUBECONFIG_FILE" --wait 120s >&2
    fi
}

tag_of() { # IMAGE
    "$BIN/python" -c 'import sys; from ratchet.images import IMAGES; print(IMAGES[sys.argv[1]])' "$1"
}

load() { # IMAGE...
    local image tag
    for image in "${@:-}"; do
        tag=$(tag_of "$image") || die "found $image, expected base, train, grade or sample"
        docker image inspect "$tag" >/dev/null 2>&1 || die "$tag is not in docker: run \`make images\`"
        kind load docker-image "$tag" --name "$CLUSTER" >&2
    done
}

built() {
    local image
    for image in base train grade sample; do
        if docker image inspect "$(tag_of "$image")" >/dev/null 2>&1; then echo "$image"; fi
    done
}

main() {
    if [ -n "${KUBECONFIG:-}" ]; then
        say "KUBECONFIG is set: its cluster is used"
        return
    fi
    require
    start
    local images=("$@")
    [ $# -gt 0 ] || mapfile -t images < <(built)
    [ ${#images[@]} -gt 0 ] || say "no images in docker: \`make images\` builds them, and up.sh then loads them"
    [ ${#images[@]} -eq 0 ] || load "${images[@]}"
    echo "export KUBECONFIG=$KUBECONFIG_FILE"
}

main "$@"
