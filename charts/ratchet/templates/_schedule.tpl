{{/* The parameters of scheduled runs: those that the values settle, under those that the user wrote. */}}
{{- define "ratchet.parameters" -}}
{{- $known := dict "mlflow_tracking_uri" .Values.mlflow.trackingUri -}}
{{- with .Values.schedule.policy }}{{ $_ := set $known "gate_policy" . }}{{ end -}}
{{- with include "ratchet.claim" . }}{{ $_ := set $known "cluster_claim" . }}{{ end -}}
{{- with .Values.mlflow.existingSecret }}{{ $_ := set $known "cluster_mlflow_secret" . }}{{ end -}}
{{- with .Values.objectStore.existingSecret }}{{ $_ := set $known "cluster_s3_secret" . }}{{ end -}}
{{- with .Values.verdicts.existingSigningSecret }}{{ $_ := set $known "cluster_signing_secret" . }}{{ end -}}
{{- mergeOverwrite $known .Values.schedule.parameters | toYaml -}}
{{- end -}}

{{/* What `ratchet pipeline schedule apply NAME` is given. */}}
{{- define "ratchet.scheduleArguments" -}}
- --pipeline=/tmp/pipeline.yaml
- --params=/etc/ratchet/parameters.yaml
- --service-account={{ include "ratchet.pipelinesAccount" . }}
{{- with .Values.schedule }}
- {{ printf "--experiment=%s" .experiment | quote }}
- --at-once={{ int .atOnce }}
- {{ if .cron }}{{ printf "--cron=%s" .cron | quote }}{{ else }}--every={{ int .every }}{{ end }}
{{- if ne .state "keep" }}
- --{{ .state }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Where Kubeflow is and how one signs in, as the commands read it. */}}
{{- define "ratchet.kubeflowEnvironment" -}}
- {name: KFP_HOST, value: {{ .Values.kubeflow.host | quote }}}
{{- if .Values.kubeflow.multiUser }}
- {name: KFP_NAMESPACE, value: {{ .Release.Namespace | quote }}}
- {name: KFP_TOKEN_FILE, value: /var/run/secrets/kubeflow/token}
{{- end }}
{{- if .Values.kubeflow.existingCaConfigMap }}
- {name: KFP_CA_CERT, value: /etc/kubeflow/ca.crt}
{{- end }}
{{- end -}}
