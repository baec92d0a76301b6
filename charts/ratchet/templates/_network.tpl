{{/* A rule that lets traffic out to one of .Values.networkPolicies: (list . NAME). No peers, no rule. */}}
{{- define "ratchet.egress" -}}
{{- $to := index (index . 0).Values.networkPolicies (index . 1) -}}
{{- if $to.peers -}}
- to:
    {{- toYaml $to.peers | nindent 4 }}
  ports:
    {{- range $to.ports }}
    - {port: {{ int . }}, protocol: TCP}
    {{- if eq (index $ 1) "dns" }}
    - {port: {{ int . }}, protocol: UDP}
    {{- end }}
    {{- end }}
{{- end }}
{{- end -}}

{{/* A rule that lets traffic out to the Kubernetes API. */}}
{{- define "ratchet.egressToApi" -}}
{{- with .Values.networkPolicies.kubernetesApi -}}
- to:
    {{- range .cidrs }}
    - ipBlock: {cidr: {{ . }}}
    {{- end }}
  ports:
    {{- range .ports }}
    - {port: {{ int . }}, protocol: TCP}
    {{- end }}
{{- end }}
{{- end -}}
