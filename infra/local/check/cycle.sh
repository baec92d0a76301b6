#!/usr/bin/env bash
# The local cluster from nothing to nothing, on a fresh clone of what is committed here: each command of ../README.md in
# its order, with the time that it took, as that page's table. It ends at the first that fails, and removes the cluster.
#
#   cycle.sh [IMAGE...]     the images that are built and loaded: base grade dashboard if none is given
#
# Needs root, debootstrap, git, docker with BuildKit, kind, kubectl and helm, and what node.sh needs. NODE_IMAGE, where
# set, is the node's image, and none is made. What buildah has of the last IMAGE is loaded out of buildah too.
set -euo pipefail
cd "$(dirname "$0")/../../.."

CLUSTER=ratchet
BASE=localhost/ratchet-base:cycle # of its own, so that no base from before is found
export TOOL=docker

say() { echo "cycle.sh: $*" >&2; }
die() { say "$*"; exit 1; }

require() {
    local program
    for program in git debootstrap docker kind kubectl helm; do
        command -v "$program" >/dev/null || die "$program is not installed"
    done
    docker info >/dev/null 2>&1 || die "docker does not answer: start it"
    ! kind get clusters 2>/dev/null | grep -qx "$CLUSTER" ||
        die "a cluster $CLUSTER is there, which this would change: infra/local/down.sh removes it"
}

end() {
    kind delete cluster --quiet --name "$CLUSTER"
    docker rmi --no-prune "$BASE" >/dev/null 2>&1 || true
    rm -rf "$SCRATCH"
}

row() { echo "| $1 | $2 |"; }

span() { # SECONDS
    if [ "$1" -lt 120 ]; then echo "$1 s"; else echo "$(($1 / 60)) min $(($1 % 60)) s"; fi
}

timed() { # WHAT COMMAND...: its output goes to the log, and is shown where it fails
    local what=$1 started=$SECONDS
    shift
    "$@" >"$SCRATCH/log" 2>&1 || { tail -n 20 "$SCRATCH/log" >&2; die "failed: $what"; }
    row "$what" "$(span $((SECONDS - started)))"
}

about() { # what the table holds for
    echo "commit $(git rev-parse --short HEAD), $(nproc) processors, cgroup v$(docker info --format '{{.CgroupVersion}}')"
    echo "docker $(docker version --format '{{.Client.Version}}, engine {{.Server.Version}}')," \
        "$(kind version | cut -d ' ' -f 1-2), helm $(helm version --template '{{.Version}}')"
    [ -z "$(git status --porcelain)" ] || say "what is not committed is not in the clone"
    row what time
    row --- ---
}

images() { # IMAGE...: build.sh says of each its tag, size and time
    local tag bytes seconds
    timed "\`infra/images/debootstrap.sh\`" infra/images/debootstrap.sh "$BASE"
    infra/images/build.sh --base "$BASE" "$@" >"$SCRATCH/built"
    while read -r tag bytes _ seconds _; do
        row "\`infra/images/build.sh\`: $tag, $((bytes / 1000000)) MB" "$(span "$seconds")"
    done <"$SCRATCH/built"
}

node() {
    [ -z "${NODE_IMAGE:-}" ] || return 0
    timed "\`infra/local/check/node.sh\`, nothing compiled before" \
        env WORK="$SCRATCH/node" GOCACHE="$SCRATCH/go" infra/local/check/node.sh
    NODE_IMAGE=$(tail -n 1 "$SCRATCH/log")
}

settled() { # the chart's job has written to the claim that waited for it
    kubectl --namespace ratchet wait --for condition=complete job --all --timeout 5m &&
        kubectl --namespace ratchet wait --for jsonpath='{.status.phase}'=Bound pvc --all --timeout 1m
}

cluster() { # IMAGE...
    local kubeconfig=$PWD/dist/local.kubeconfig last=${!#} tag
    export IMAGES=$* NODE_IMAGE
    read -r tag _ < <(tail -n 1 "$SCRATCH/built")
    timed "\`make install-chart\` from nothing: cluster, images, chart" make install-chart
    export KUBECONFIG=$kubeconfig
    timed "until the chart's job is complete and the claim bound" settled
    timed "the install's test, \`pytest -m cluster tests/charts/test_local.py\`" \
        .venv/bin/pytest -q -m cluster tests/charts/test_local.py
    unset KUBECONFIG
    timed "\`make install-chart\` again: an upgrade" make install-chart
    docker stop "$CLUSTER-control-plane" >/dev/null
    timed "\`infra/local/up.sh\` after the node was stopped" infra/local/up.sh
    if buildah inspect --type image "$tag" >/dev/null 2>&1; then
        timed "\`TOOL=buildah infra/local/up.sh $last\`" env TOOL=buildah infra/local/up.sh "$last"
    fi
    timed "\`infra/local/down.sh\`" infra/local/down.sh
}

nothing_left() {
    local left
    left=$(docker ps --all --filter "label=io.x-k8s.kind.cluster=$CLUSTER" --format '{{.Names}}')
    [ -z "$left" ] || die "left behind: $left"
    [ ! -e dist/local.kubeconfig ] || die "left behind: dist/local.kubeconfig"
}

main() {
    [ $# -gt 0 ] || set -- base grade dashboard
    unset KUBECONFIG # a cluster of one's own is not what is tried here
    require
    about
    SCRATCH=$(mktemp -d)
    trap end EXIT
    trap 'exit 130' INT TERM
    git clone --quiet --no-local . "$SCRATCH/ratchet"
    cd "$SCRATCH/ratchet"
    timed "\`make setup\` on a fresh clone" make setup
    images "$@"
    node
    cluster "$@"
    nothing_left
    row "all" "$(span "$SECONDS")"
}

main "$@"
