{{/* What the schema can't say: values that need each other. */}}
{{- define "ratchet.checks" -}}
{{- if not .Values.mlflow.trackingUri }}
{{- fail "mlflow.trackingUri is empty; expected the URL of the tracking server" }}
{{- end }}
{{- if eq .Values.image.tag "latest" }}
{{- fail "image.tag is latest; expected a fixed tag, or none for the version of the chart" }}
{{- end }}
{{- with .Values.networkPolicies }}
{{- if and .enabled (not .kubernetesApi.cidrs) }}
{{- fail "networkPolicies.kubernetesApi.cidrs is empty; expected the addresses of the Kubernetes API, which `kubectl get endpointslices -n default` lists, or networkPolicies.enabled=false" }}
{{- end }}
{{- if and .enabled (not .mlflow.peers) }}
{{- fail "networkPolicies.mlflow.peers is empty; expected where MLflow is, or networkPolicies.enabled=false" }}
{{- end }}
{{- end }}
{{- with .Values.schedule }}
{{- if and .enabled (eq (empty .cron) (empty .every)) }}
{{- fail (printf "schedule.cron is %q and schedule.every is %v; expected one of them" .cron .every) }}
{{- end }}
{{- if and .enabled .cron (not (hasPrefix "@" .cron)) (ne (len (regexSplit " +" (trim .cron) -1)) 6) }}
{{- fail (printf "schedule.cron is %q; expected six fields: second minute hour day month weekday" .cron) }}
{{- end }}
{{- end }}
{{- with .Values.reconcile }}
{{- if and (or .enabled .listener.enabled) (not .models) }}
{{- fail "reconcile.models is empty; expected the registered models to watch" }}
{{- end }}
{{- if and (or .enabled .listener.enabled) (not $.Values.verdicts.publicKeys) }}
{{- fail "verdicts.publicKeys is empty; expected the keys whose verdicts the reconciler trusts" }}
{{- end }}
{{- if and .listener.enabled (not .listener.existingSecret) }}
{{- fail "reconcile.listener.existingSecret is empty; expected the secret that webhooks are signed with" }}
{{- end }}
{{- end }}
{{- with .Values.dashboard }}
{{- if eq .image.tag "latest" }}
{{- fail "dashboard.image.tag is latest; expected a fixed tag, or none for the version of the chart" }}
{{- end }}
{{- if and .virtualService.enabled (not .rootPath) }}
{{- fail "dashboard.rootPath is empty; expected the path that the gateway hands on, such as /ratchet/team" }}
{{- end }}
{{- if and .enabled .virtualService.enabled $.Values.networkPolicies.enabled (not $.Values.networkPolicies.dashboard.peers) }}
{{- fail "networkPolicies.dashboard.peers is empty; expected where the gateway of dashboard.virtualService is" }}
{{- end }}
{{- end }}
{{- with .Values.pipelines.launcherConfig }}
{{- if and .create (not .pipelineRoot) }}
{{- fail "pipelines.launcherConfig.pipelineRoot is empty; expected where runs keep their artifacts, such as s3://bucket/runs" }}
{{- end }}
{{- end }}
{{- end -}}
