#!/usr/bin/env bash
# A node image for kind out of Debian's packages and Go modules, for machines that reach no image registry.
#
#   node.sh [TAG]     TAG is localhost/ratchet-node:VERSION if it isn't given; it is printed at the end, for NODE_IMAGE
#
# Needs root, debootstrap, docker with BuildKit, Go with a module proxy, and jq. WORK keeps the programs that were built:
# the next call finds them. A cluster of one node alone, on which no network policy is enforced (kind's own enforces them).
set -euo pipefail

VERSION=${VERSION:-v1.34.4}
KIND=${KIND:-v0.30.0}
WORK=${WORK:-/var/tmp/ratchet-node}
TAG=${1:-localhost/ratchet-node:$VERSION}
HERE=$(cd "$(dirname "$0")" && pwd)
# What kind's node has, and what the programs in pods call.
PACKAGES=systemd,containerd,runc,containernetworking-plugins,iptables,nftables,conntrack,iproute2,ethtool,kmod,mount
PACKAGES+=,jq,procps,ca-certificates
export CGO_ENABLED=0 DOCKER_BUILDKIT=1

folder_of() { # MODULE@VERSION
    go mod download -json "$1" | jq -r .Dir
}

module() { # NAME REQUIREMENT: a module of its own around the file NAME.go
    mkdir -p "$WORK/$1"
    cd "$WORK/$1"
    [ -f go.mod ] || go mod init "$1"
    go mod edit -require "$2"
    cp "$HERE/$1.go" main.go
}

kube() { # Kubernetes names the parts of itself by no version: each is replaced by the one of its release
    local part version=k8s.io/component-base/version
    module kube "k8s.io/kubernetes@$VERSION"
    for part in $(go mod edit -json "$(folder_of "k8s.io/kubernetes@$VERSION")/go.mod" |
        jq -r '.Require[] | select(.Version == "v0.0.0").Path'); do
        go mod edit -replace "$part=$part@${VERSION/v1/v0}"
    done
    go mod tidy
    go build -o "$WORK/bin/kube" -ldflags \
        "-s -w -X $version.gitVersion=$VERSION -X $version.gitMajor=1 -X $version.gitMinor=${VERSION:3:2}" .
}

etcd() {
    module etcd go.etcd.io/etcd/server/v3@v3.6.5
    go mod tidy
    go build -ldflags '-s -w' -o "$WORK/bin/etcd" .
}

coredns() { GOBIN=$WORK/bin go install -ldflags '-s -w' github.com/coredns/coredns@v1.12.1; }

provisioner() { # of volumes
    cp -rT --no-preserve=mode "$(folder_of github.com/rancher/local-path-provisioner@v0.0.30)" "$WORK/provisioner"
    cd "$WORK/provisioner"
    go build -mod=mod -ldflags '-s -w' -o "$WORK/bin/provisioner" .
}

base() { # Debian, and kind's own files
    local kind
    kind=$(folder_of "sigs.k8s.io/kind@$KIND")
    rm -rf "$WORK"/{tree,kind}
    debootstrap --variant=minbase --include="$PACKAGES" bookworm "$WORK/tree" >"$WORK/debootstrap.log"
    rm -rf "$WORK"/tree/var/{cache/apt,lib/apt/lists}/* "$WORK"/tree/usr/share/{doc,locale,man}
    tar -C "$WORK/tree" --one-file-system -c . | docker import - ratchet-node-base
    rm -rf "$WORK/tree"
    cp -r --no-preserve=mode "$kind/images/base/files" "$WORK/kind"
    # The manifest stands in a constant of kind's, with the names of two images as constants between.
    sed -n '/^const defaultStorageManifest/,/^`$/p' "$kind/pkg/build/nodeimage/const_storage.go" |
        sed "1d; \$d; s/\` + storage[A-Za-z]*Image + \`/localhost\/ratchet-pod:1/" >"$WORK/kind/default-storage.yaml"
}

pods() { # one image under all the names that kubeadm asks for; two have an entrypoint, pause and coredns
    local name of=registry.k8s.io names=()
    cd "$WORK"
    docker build --quiet --tag localhost/ratchet-pod:1 --file - bin <<'END'
FROM ratchet-node-base
COPY . /usr/local/bin/
RUN cd /usr/local/bin && for name in apiserver controller-manager scheduler proxy; do ln -s kube kube-$name; done && \
    ln -s provisioner local-path-provisioner
END
    for name in "$of/pause:3.10 sleep infinity" "$of/pause:3.10.1 sleep infinity" "$of/coredns/coredns:v1.12.1 coredns"; do
        read -ra words <<<"$name"
        printf 'FROM localhost/ratchet-pod:1\nENTRYPOINT %s\n' "$(jq -cn '$ARGS.positional' --args "${words[@]:1}")" |
            docker build --quiet --tag "${words[0]}" -
        names+=("${words[0]}")
    done
    for name in "$of"/{kube-apiserver,kube-controller-manager,kube-scheduler,kube-proxy}:"$VERSION" "$of/etcd:3.6.5-0"; do
        docker tag localhost/ratchet-pod:1 "$name"
        names+=("$name")
    done
    docker save --output images.tar localhost/ratchet-pod:1 "${names[@]}"
    docker rmi localhost/ratchet-pod:1 "${names[@]}" >/dev/null # they are not what their names say elsewhere
}

node() {
    cd "$WORK"
    cp "$HERE/Containerfile" "$HERE/10-check.conflist" .
    docker build --quiet --tag "$TAG" --file Containerfile --build-arg "VERSION=$VERSION" .
    rm -f images.tar
}

main() {
    local program
    mkdir -p "$WORK/bin"
    for program in kube etcd coredns provisioner; do
        [ -x "$WORK/bin/$program" ] || ("$program")
    done
    { base; pods; node; } >&2
    echo "$TAG"
}

main "$@"
