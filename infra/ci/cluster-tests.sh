#!/usr/bin/env bash
# Runs the tests that are marked `cluster`: on the cluster that KUBECONFIG names, or on a test cluster started for them.
#
#   cluster-tests.sh [ARGUMENTS OF PYTEST...]
#
# With KUBECONFIG, RATCHET_REGISTRY names the registry that holds the images and that the nodes pull from; without it the
# tests that need images are skipped. Without KUBECONFIG the script TESTCLUSTER (../shared/testcluster/testcluster) starts
# a cluster and a registry, the images IMAGES (base grade) are built and pushed, and all of it is stopped at the end, also
# after a failure. Where there is no such script either, nothing is run. The test cluster and its images need root.
set -euo pipefail
cd "$(dirname "$0")/../.."

BIN=${BIN:-.venv/bin}
TESTCLUSTER=${TESTCLUSTER:-../shared/testcluster/testcluster}
read -ra IMAGES <<<"${IMAGES:-base grade}"

say() { echo "cluster-tests.sh: $*" >&2; }

install() { # what builds images; the test cluster installs the rest itself
    if ! command -v buildah >/dev/null || ! command -v debootstrap >/dev/null; then
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends buildah debootstrap >/dev/null
    fi
}

start() {
    trap '"$TESTCLUSTER" down' EXIT
    trap 'exit 130' INT TERM
    local environment
    environment=$("$TESTCLUSTER" up)
    eval "$environment"
    RATCHET_REGISTRY=$("$TESTCLUSTER" registry)
    export RATCHET_REGISTRY
}

main() {
    if [ -z "${KUBECONFIG:-}" ]; then
        if [ ! -x "$TESTCLUSTER" ]; then
            say "no KUBECONFIG and no $TESTCLUSTER: the tests on a cluster are not run"
            return
        fi
        install
        start
        local base
        base=$(infra/images/debootstrap.sh)
        INSECURE=1 infra/images/build.sh --base "$base" --push "$RATCHET_REGISTRY" "${IMAGES[@]}"
    fi
    # Not in parallel: the pods share the node's processors with the tests.
    OMP_NUM_THREADS=1 "$BIN/pytest" -p no:xdist -m cluster -rs tests "$@"
}

main "$@"
