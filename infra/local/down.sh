#!/usr/bin/env bash
# Removes the local cluster that up.sh started, with all that is on it. A cluster that KUBECONFIG names is left alone.
set -euo pipefail
cd "$(dirname "$0")/../.."

die() { echo "down.sh: $*" >&2; exit 1; }

command -v kind >/dev/null || die "kind is not installed, so there is no local cluster"
docker info >/dev/null 2>&1 || die "docker does not answer: start it, and what is left of the cluster can be removed"
kind delete cluster --name ratchet
rm -f dist/local.kubeconfig
