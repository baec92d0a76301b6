{{/* The reconciler's container: (list . "--once" or "--listen=..." [SECRET of the webhooks]). */}}
{{- define "ratchet.reconciler" -}}
{{- $root := index . 0 -}}
name: reconcile
{{ include "ratchet.container" $root }}
command: [ratchet, reconcile, {{ index . 1 | quote }}]
args:
  {{- range $root.Values.reconcile.models }}
  - {{ printf "--model=%s" . | quote }}
  {{- end }}
envFrom:
  - configMapRef: {name: {{ include "ratchet.fullname" $root }}-config}
{{- $webhooks := gt (len .) 2 | ternary (last .) "" }}
{{- with include "ratchet.credentials" (list $root $root.Values.mlflow.existingSecret $webhooks) }}
env:
  {{- . | nindent 2 }}
{{- end }}
resources:
  {{- toYaml $root.Values.reconcile.resources | nindent 2 }}
volumeMounts:
  - {name: scratch, mountPath: /tmp}
{{- end -}}
