{{/* The reconciler's container: (list . "--once" or "--listen=...", and what else is in its environment). */}}
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
{{- with include "ratchet.credentials" . }}
env:
  {{- . | nindent 2 }}
{{- end }}
resources:
  {{- toYaml $root.Values.reconcile.resources | nindent 2 }}
volumeMounts:
  - {name: scratch, mountPath: /tmp}
{{- end -}}

{{/* Its secrets, key by key: one that holds more hands over no more. MLflow wants a password or a token. */}}
{{- define "ratchet.credentials" -}}
{{- $root := index . 0 -}}
{{- with $root.Values.mlflow.existingSecret -}}
- {{ include "ratchet.secretKey" (list . "MLFLOW_TRACKING_USERNAME" true) | nindent 2 | trim }}
- {{ include "ratchet.secretKey" (list . "MLFLOW_TRACKING_PASSWORD" true) | nindent 2 | trim }}
- {{ include "ratchet.secretKey" (list . "MLFLOW_TRACKING_TOKEN" true) | nindent 2 | trim }}
{{ end -}}
{{- with $root.Values.objectStore.existingSecret -}}
- {{ include "ratchet.secretKey" (list . "AWS_ACCESS_KEY_ID" false) | nindent 2 | trim }}
- {{ include "ratchet.secretKey" (list . "AWS_SECRET_ACCESS_KEY" false) | nindent 2 | trim }}
{{ end -}}
{{- if gt (len .) 2 -}}
- {{ include "ratchet.secretKey" (list (index . 2) "RATCHET_WEBHOOK_SECRET" false) | nindent 2 | trim }}
{{ end -}}
{{- end -}}

{{/* A variable that is the secret's key of the same name: (list SECRET KEY OPTIONAL). */}}
{{- define "ratchet.secretKey" -}}
name: {{ index . 1 }}
valueFrom:
  secretKeyRef: {name: {{ index . 0 }}, key: {{ index . 1 }}, optional: {{ index . 2 }}}
{{- end -}}
