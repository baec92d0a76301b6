#!/usr/bin/env bash
# Runs the tests that are marked `cluster`: on the cluster that KUBECONFIG names, or on a test cluster started for them.
#
#   cluster-tests.sh [ARGUMENTS OF PYTEST...]
#   cluster-tests.sh --build      builds the images and runs nothing: what the next call then finds done
#
# With KUBECONFIG, RATCHET_REGISTRY names the registry that holds the images and that the nodes pull from; without it the
# tests that need images are skipped. Without KUBECONFIG the script TESTCLUSTER (../shared/testcluster/testcluster) starts
# a cluster and a registry, the images IMAGES (base grade train dashboard) are built and pushed, and all of it is stopped
# at the end, also after a failure. Where there is no such script either, nothing is run. The test cluster and its images need root.
set -euo pipefail
cd "$(dirname "$0")/../.."

BIN=${BIN:-.venv/bin}
TESTCLUSTER=${TESTCLUSTER:-../shared/testcluster/testcluster}
read -ra IMAGES <<<"${IMAGES:-base grade train dashboard}"

say() { echo "cluster-tests.sh: $*" >&2; }

install() { # what builds images; the test cluster installs the rest itself
    if ! command -v buildah >/dev/null || ! command -v debootstrap >/dev/null; then
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends buildah debootstrap >/dev/null
    fi
}

build() { # OPTIONS OF build.sh...
    install
    local base
    base=$(infra/images/debootstrap.sh)
    # zstd, because both ends work on the two processors of this machine: gzip takes several times as long.
    INSECURE=1 COMPRESSION=zstd:1 infra/images/build.sh --base "$base" "$@" "${IMAGES[@]}"
}

start() {
    trap '"$TESTCLUSTER" down' EXIT
    trap 'exit 130' INT TERM
    local environment
    environment=$("$TESTCLUSTER" up)
    eval "$environment"
    "$TESTCLUSTER" trainer >&2 # the definitions of Kubeflow Trainer, which its objects are checked against
    RATCHET_REGISTRY=$("$TESTCLUSTER" registry)
    export RATCHET_REGISTRY
}

main() {
    if [ -z "${KUBECONFIG:-}" ] && [ ! -x "$TESTCLUSTER" ]; then
        say "no KUBECONFIG and no $TESTCLUSTER: the tests on a cluster are not run"
        return
    fi
    if [ "${1:-}" = --build ]; then
        [ -n "${KUBECONFIG:-}" ] || build
        return
    fi
    if [ -z "${KUBECONFIG:-}" ]; then
        start
        build --push "$RATCHET_REGISTRY"
    fi
    # A file at a time on each of two workers: a step's pod waits about as long as it works. In the order of their names:
    # xdist would begin with those of many tests, and end with the longest test of all on one worker alone.
    OMP_NUM_THREADS=1 "$BIN/pytest" -n 2 --dist loadfile --no-loadscope-reorder -m cluster -rs --durations=12 tests "$@"
}

main "$@"
