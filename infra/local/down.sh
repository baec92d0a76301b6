#!/usr/bin/env bash
# Removes the local cluster that up.sh started, with all that is on it. A cluster that KUBECONFIG names is left alone.
set -euo pipefail
cd "$(dirname "$0")/../.."

command -v kind >/dev/null || { echo "down.sh: kind is not installed, so there is no local cluster" >&2; exit 1; }
kind delete cluster --name ratchet
rm -f dist/local.kubeconfig
