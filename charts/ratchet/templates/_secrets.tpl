{{/*
The secrets of a pod that talks to MLflow, key by key: one that holds more hands over no more. MLflow wants a password or
a token: (list . SECRET-OF-MLFLOW SECRET-OF-WEBHOOKS), each a name or nothing.
*/}}
{{- define "ratchet.credentials" -}}
{{- $root := index . 0 -}}
{{- with index . 1 -}}
- {{ include "ratchet.secretKey" (list . "MLFLOW_TRACKING_USERNAME" true) | nindent 2 | trim }}
- {{ include "ratchet.secretKey" (list . "MLFLOW_TRACKING_PASSWORD" true) | nindent 2 | trim }}
- {{ include "ratchet.secretKey" (list . "MLFLOW_TRACKING_TOKEN" true) | nindent 2 | trim }}
{{ end -}}
{{- with $root.Values.objectStore.existingSecret -}}
- {{ include "ratchet.secretKey" (list . "AWS_ACCESS_KEY_ID" false) | nindent 2 | trim }}
- {{ include "ratchet.secretKey" (list . "AWS_SECRET_ACCESS_KEY" false) | nindent 2 | trim }}
{{ end -}}
{{- with index . 2 -}}
- {{ include "ratchet.secretKey" (list . "RATCHET_WEBHOOK_SECRET" false) | nindent 2 | trim }}
{{ end -}}
{{- end -}}

{{/* A variable that is the secret's key of the same name: (list SECRET KEY OPTIONAL). */}}
{{- define "ratchet.secretKey" -}}
name: {{ index . 1 }}
valueFrom:
  secretKeyRef: {name: {{ index . 0 }}, key: {{ index . 1 }}, optional: {{ index . 2 }}}
{{- end -}}
