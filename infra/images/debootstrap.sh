#!/usr/bin/env bash
# A Debian base image with Python 3.11, for machines that reach no image registry but do reach Debian's packages.
#
#   debootstrap.sh [TAG]     TAG is localhost/ratchet-base:bookworm if it isn't given
#
# Needs root, debootstrap, and buildah or docker. MIRROR chooses another Debian mirror. Prints the tag, for
# `build.sh --base TAG`. An image that is there under that tag is kept; TOOL is buildah or docker.
set -euo pipefail

TAG=${1:-localhost/ratchet-base:bookworm}
TOOL=${TOOL:-$(command -v buildah >/dev/null && echo buildah || echo docker)}
# What python:3.11-slim-bookworm has too.
PACKAGES=python3,python3-venv,ca-certificates

die() { echo "debootstrap.sh: $*" >&2; exit 1; }

present() {
    case $TOOL in
    buildah) buildah inspect --type image "$TAG" >/dev/null 2>&1 ;;
    docker) docker image inspect "$TAG" >/dev/null 2>&1 ;;
    esac
}

make_tree() { # FOLDER
    debootstrap --variant=minbase --include="$PACKAGES" bookworm "$1" ${MIRROR:+"$MIRROR"} >"$1.log" 2>&1 ||
        die "debootstrap failed: $(tail -n 3 "$1.log" | tr '\n' ' ')"
    # Package lists, caches, logs and documentation; copyright files stay, as licences ask.
    rm -rf "$1"/var/cache/apt/* "$1"/var/lib/apt/lists/* "$1"/var/log/* "$1"/usr/share/{man,info,locale} "$1"/tmp/*
    find "$1/usr/share/doc" -type f ! -name copyright -delete
    find "$1" -name __pycache__ -type d -prune -exec rm -rf {} +
}

store() { # FOLDER
    if [ "$TOOL" = docker ]; then
        tar -C "$1" --one-file-system -c . | docker import - "$TAG" >/dev/null
        return
    fi
    local container
    container=$(buildah from scratch)
    buildah add -q "$container" "$1" / >/dev/null
    buildah config --env PATH=/usr/local/bin:/usr/bin:/bin --cmd python3 "$container"
    buildah commit -q --rm "$container" "$TAG" >/dev/null
}

main() {
    if present; then
        echo "$TAG"
        return
    fi
    [ "$(id -u)" = 0 ] || die "run as root: debootstrap makes device files and changes owners"
    command -v debootstrap >/dev/null || die "debootstrap is not installed (Debian's package debootstrap)"
    SCRATCH=$(mktemp -d)
    trap 'rm -rf "$SCRATCH"' EXIT
    make_tree "$SCRATCH/tree"
    store "$SCRATCH/tree"
    echo "$TAG"
}

main
