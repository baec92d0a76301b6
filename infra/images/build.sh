#!/usr/bin/env bash
# Builds the images of the steps and of the dashboard, with a bill of materials each (dist/sbom-IMAGE.json).
#
#   build.sh [--base NAME] [--push REGISTRY] IMAGE...
#
# IMAGE is base, train, grade, sample, dashboard, or sample-transformers (the image train under the name of sample: for
# CPUs, and for GPUs without vLLM; it is built after train). --base is the image that all start from, python:3.11-slim-bookworm if it
# isn't given; infra/images/debootstrap.sh makes one where no image registry is reached. --push also pushes to REGISTRY
# (INSECURE=1 for one that speaks plain http; COMPRESSION=zstd:1, with buildah, for a quick push to nodes that take zstd).
# TOOL is buildah or docker, the first that is installed. PIP_CERT, where set, names the certificates that packages are
# fetched with. One line an image is printed: its tag, its size, and the seconds that it took.
set -euo pipefail
cd "$(dirname "$0")/../.."

BIN=${BIN:-.venv/bin}
TOOL=${TOOL:-$(command -v buildah >/dev/null && echo buildah || echo docker)}
BASE=${BASE:-python:3.11-slim-bookworm}
PUSH=
ALL=(base train grade sample sample-transformers dashboard)

say() { echo "build.sh: $*" >&2; }
die() { say "$*"; exit 1; }

tag_of() { # IMAGE
    "$BIN/python" -c 'import sys; from ratchet.images import IMAGES
name, _, variant = sys.argv[1].partition("-")
print(IMAGES[name] + (f"-{variant}" if variant else ""))' "$1"
}

wheel() {
    rm -rf dist/wheel
    "$BIN/uv" build --quiet --wheel --out-dir dist/wheel .
}

build() { # IMAGE TAG
    local folder=${1%%-*} options=(--build-arg "VERSION=${2##*:}" --build-arg "REVISION=$REVISION" --tag "$2")
    case $1 in
    *-*) options+=(--target "${1#*-}" --build-arg "TRAIN=$(tag_of train)") ;;
    *) options+=(--build-arg "BASE=$BASE") ;;
    esac
    [ -z "${PIP_CERT:-}" ] || options+=(--secret "id=ca,src=$PIP_CERT")
    options+=(--file "components/images/$folder/Containerfile")
    case $TOOL in
    # Isolation chroot asks for no more than root in a container has.
    buildah) buildah build --quiet --layers --isolation chroot --network host --format oci "${options[@]}" . >/dev/null ;;
    # BuildKit, which the secret is for: older engines have it, and have to be told.
    docker) DOCKER_BUILDKIT=1 docker build --quiet "${options[@]}" . >/dev/null ;;
    esac
}

bill() { # IMAGE TAG
    local script=infra/images/sbom.py out="dist/sbom-$1.json" container
    case $TOOL in
    buildah)
        container=$(buildah from --pull-never "$2")
        buildah run --isolation chroot "$container" -- python3 - "$2" <"$script" >"$out" || { buildah rm "$container" >/dev/null; return 1; }
        buildah rm "$container" >/dev/null
        ;;
    docker) docker run --rm --interactive --network none "$2" python3 - "$2" <"$script" >"$out" ;;
    esac
}

push() { # TAG
    case $TOOL in
    buildah)
        local options=(--quiet --tls-verify="$([ "${INSECURE:-}" = 1 ] && echo false || echo true)")
        if [ -n "${COMPRESSION:-}" ]; then
            options+=(--compression-format "${COMPRESSION%:*}" --compression-level "${COMPRESSION#*:}")
        fi
        buildah push "${options[@]}" "$1" "docker://$PUSH/$1"
        ;;
    docker) docker tag "$1" "$PUSH/$1" && docker push --quiet "$PUSH/$1" ;;
    esac
}

size_of() { # TAG
    case $TOOL in
    buildah) buildah images --format '{{.Size}}' "$1" | head -n 1 ;;
    docker) docker image inspect --format '{{.Size}} bytes' "$1" ;;
    esac
}

main() {
    while [ $# -gt 0 ]; do
        case $1 in
        --base) BASE=${2:?--base needs the name of an image}; shift 2 ;;
        --push) PUSH=${2:?--push needs a registry}; shift 2 ;;
        -*) die "found $1, expected --base, --push or the name of an image" ;;
        *) break ;;
        esac
    done
    [ $# -gt 0 ] || die "found no image, expected some of: ${ALL[*]}"
    [[ $TOOL =~ ^(buildah|docker)$ ]] || die "found TOOL=$TOOL, expected buildah or docker"
    local image tag started
    for image in "$@"; do
        [[ " ${ALL[*]} " == *" $image "* ]] || die "found image $image, expected some of: ${ALL[*]}"
    done
    mkdir -p dist
    exec 9>dist/.lock
    # Two builds at a time would take each other's wheel away. There is no flock on every system.
    if command -v flock >/dev/null; then flock 9; fi
    REVISION=$(git rev-parse HEAD 2>/dev/null || echo unknown)
    wheel
    for image in "$@"; do
        tag=$(tag_of "$image")
        started=$SECONDS
        build "$image" "$tag" || die "$image was not built"
        bill "$image" "$tag" || die "$image has no bill of materials"
        [ -z "$PUSH" ] || push "$tag" || die "$tag was not pushed to $PUSH"
        echo "$tag  $(size_of "$tag")  $((SECONDS - started)) s"
    done
}

main "$@"
