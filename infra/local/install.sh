#!/usr/bin/env bash
# Installs or upgrades the chart: on the cluster that KUBECONFIG names, or on the local one (up.sh).
#
#   install.sh [ARGUMENTS OF HELM...]
#
# NAMESPACE (ratchet) is made where it is not there, and then enforces the Pod Security Standard `restricted`. VALUES
# (infra/local/values.yaml) is the file of values. The addresses of the Kubernetes API are looked up.
set -euo pipefail
cd "$(dirname "$0")/../.."

NAMESPACE=${NAMESPACE:-ratchet}
RELEASE=${RELEASE:-ratchet}
VALUES=${VALUES:-infra/local/values.yaml}

die() { echo "install.sh: $*" >&2; exit 1; }

namespace() {
    kubectl get namespace "$NAMESPACE" >/dev/null 2>&1 && return # others may be at work there
    kubectl create namespace "$NAMESPACE" >/dev/null
    kubectl label namespace "$NAMESPACE" pod-security.kubernetes.io/enforce=restricted >/dev/null
}

addresses() { # of the API server, as pods reach it: {A/32,B/32}
    kubectl get endpointslices --namespace default --selector kubernetes.io/service-name=kubernetes \
        --output jsonpath='{range .items[*].endpoints[*].addresses[*]}{@}{"\n"}{end}' |
        sed '/:/ s,$,/128, ; /:/! s,$,/32,' | paste -sd,
}

main() {
    local program found
    for program in kubectl helm; do
        command -v "$program" >/dev/null || die "$program is not installed"
    done
    if [ -z "${KUBECONFIG:-}" ]; then
        found=$(infra/local/up.sh)
        eval "$found"
    fi
    namespace
    helm upgrade --install "$RELEASE" charts/ratchet --namespace "$NAMESPACE" --values "$VALUES" \
        --set "networkPolicies.kubernetesApi.cidrs={$(addresses)}" "$@"
}

main "$@"
