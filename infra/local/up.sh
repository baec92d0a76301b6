#!/usr/bin/env bash
# Starts a local cluster in docker (kind), or finds it again, and loads the images that were built here. Does nothing
# where KUBECONFIG is set: that cluster is used. Prints the line that sets KUBECONFIG.
#
#   up.sh [IMAGE...]     IMAGE is base, train, grade, sample or dashboard; without one, those of IMAGES, and without
#                        these all that `make images` has built
#
# TOOL is buildah or docker, the one that the images were built with; as in build.sh, the first that is installed.
# NODE_IMAGE is the image of the cluster's node; without it, the one that kind names itself.
set -euo pipefail
cd "$(dirname "$0")/../.."

BIN=${BIN:-.venv/bin}
TOOL=${TOOL:-$(command -v buildah >/dev/null && echo buildah || echo docker)}
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
    [ -x "$BIN/python" ] || die "$BIN/python is not there: run \`make setup\`"
}

tags() { # IMAGE... or all: a line each, IMAGE TAG
    "$BIN/python" -c 'import sys
from ratchet.images import IMAGES
unknown = [name for name in sys.argv[1:] if name not in IMAGES]
if unknown: sys.exit(f"up.sh: found image {unknown[0]}, expected some of: {chr(32).join(IMAGES)}")
for name in sys.argv[1:] or IMAGES: print(name, IMAGES[name])' "$@"
}

built() { # TAG
    case $TOOL in
    buildah) buildah inspect --type image "$1" >/dev/null 2>&1 ;;
    docker) docker image inspect "$1" >/dev/null 2>&1 ;;
    *) die "found TOOL=$TOOL, expected buildah or docker" ;;
    esac
}

chosen() { # IMAGE...: the tags to load
    local image tag
    tags "$@" | while read -r image tag; do
        if built "$tag"; then
            echo "$tag"
        elif [ $# -gt 0 ]; then
            say "$tag is not in $TOOL: build it with \`TOOL=$TOOL infra/images/build.sh $image\`," \
                "or say with TOOL where it is"
            exit 1
        fi
    done
}

start() {
    mkdir -p dist
    if kind get clusters 2>/dev/null | grep -qx "$CLUSTER"; then
        again
    else
        kind create cluster --config infra/local/kind.yaml --kubeconfig "$KUBECONFIG_FILE" --wait 120s \
            ${NODE_IMAGE:+--image "$NODE_IMAGE"} >&2 ||
            die "no cluster was started; where its node image can't be pulled, NODE_IMAGE names another"
    fi
}

again() { # a node that was stopped, by a restart of the machine perhaps, is started
    kind get nodes --name "$CLUSTER" | xargs docker start >/dev/null
    kind export kubeconfig --name "$CLUSTER" --kubeconfig "$KUBECONFIG_FILE" >/dev/null 2>&1
    for _ in $(seq 60); do
        kubectl --kubeconfig "$KUBECONFIG_FILE" get --raw /readyz >/dev/null 2>&1 && return
        sleep 2
    done
    die "the cluster $CLUSTER does not answer: infra/local/down.sh removes it"
}

load() { # TAG
    local archive ended=0
    case $TOOL in
    buildah) # kind sees what docker has, so what buildah has comes through a file
        archive=$(mktemp -d)
        {
            buildah push --quiet "$1" "docker-archive:$archive/image.tar:docker.io/$1" >&2 &&
                kind load image-archive "$archive/image.tar" --name "$CLUSTER" >&2
        } || ended=$?
        rm -rf "$archive"
        return "$ended"
        ;;
    docker) kind load docker-image "$1" --name "$CLUSTER" >&2 ;;
    esac
}

main() {
    if [ -n "${KUBECONFIG:-}" ]; then
        say "KUBECONFIG is set: its cluster is used"
        return
    fi
    require
    local found tag
    # shellcheck disable=SC2086 # IMAGES is a list of words
    [ $# -gt 0 ] || set -- ${IMAGES:-}
    found=$(chosen "$@") # before a cluster is started
    [ -n "$found" ] || say "no images in $TOOL: \`make images\` builds them, and up.sh then loads them"
    start
    for tag in $found; do
        load "$tag" || die "$tag was not loaded into the cluster"
    done
    echo "export KUBECONFIG=$KUBECONFIG_FILE"
}

main "$@"
