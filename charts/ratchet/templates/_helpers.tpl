{{/* Start of the names of objects. */}}
{{- define "ratchet.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- $release := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- default $release .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* Labels that select the pods of a workload: (list . WORKLOAD). */}}
{{- define "ratchet.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ default $root.Chart.Name $root.Values.nameOverride | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{/* Name, namespace and labels of an object: (list . WORKLOAD [NAME]); the name is that of the workload unless given. */}}
{{- define "ratchet.metadata" -}}
{{- $root := index . 0 -}}
{{- $name := printf "%s-%s" (include "ratchet.fullname" $root) (index . 1) -}}
name: {{ if gt (len .) 2 }}{{ index . 2 }}{{ else }}{{ $name }}{{ end }}
namespace: {{ $root.Release.Namespace }}
labels:
  {{- include "ratchet.selector" . | nindent 2 }}
  app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
  app.kubernetes.io/part-of: ratchet
  app.kubernetes.io/managed-by: {{ $root.Release.Service }}
  helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* Labels and annotations of a pod: (list . WORKLOAD [ANNOTATIONS [LABELS]]). */}}
{{- define "ratchet.podMetadata" -}}
{{- $root := index . 0 -}}
{{- $annotations := dict -}}
{{- $labels := dict -}}
{{- if gt (len .) 2 }}{{ $annotations = index . 2 }}{{ end -}}
{{- if gt (len .) 3 }}{{ $labels = index . 3 }}{{ end -}}
labels:
  {{- mergeOverwrite (deepCopy $root.Values.podLabels) $labels (include "ratchet.selector" . | fromYaml) | toYaml | nindent 2 }}
{{- with merge (dict) $root.Values.podAnnotations $annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* What the specifications of all pods share: (list . WORKLOAD). They pass the Pod Security Standard `restricted`. */}}
{{- define "ratchet.pod" -}}
{{- $root := index . 0 -}}
serviceAccountName: {{ include "ratchet.fullname" $root }}-{{ index . 1 }}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  fsGroupChangePolicy: OnRootMismatch # a workspace may hold millions of files
  seccompProfile: {type: RuntimeDefault}
{{- with $root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $root.Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $root.Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $root.Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end -}}

{{/* What all containers share: the image of the chart's own pods, and no way to more privileges. */}}
{{- define "ratchet.container" -}}
{{ include "ratchet.containerOf" (list . .Values.image) }}
{{- end -}}

{{/* The same with another image of the same registry: (list . IMAGE), IMAGE with repository, tag and digest. */}}
{{- define "ratchet.containerOf" -}}
{{- $root := index . 0 -}}
{{- with index . 1 -}}
{{- $at := printf ":%s" (default $root.Chart.AppVersion .tag) -}}
image: {{ with $root.Values.image.registry }}{{ . }}/{{ end }}{{ .repository }}{{ with .digest }}@{{ . }}{{ else }}{{ $at }}{{ end }}
imagePullPolicy: {{ $root.Values.image.pullPolicy }}
{{- end }}
securityContext:
  allowPrivilegeEscalation: false
  privileged: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end -}}

{{/* The service account of runs. */}}
{{- define "ratchet.pipelinesAccount" -}}
{{- default (printf "%s-pipelines" (include "ratchet.fullname" .)) .Values.pipelines.serviceAccount.name -}}
{{- end -}}

{{/* The claim of the workspace, or nothing. */}}
{{- define "ratchet.claim" -}}
{{- with .Values.workspace -}}
{{- if .existingClaim }}{{ .existingClaim }}{{ else if .create }}{{ include "ratchet.fullname" $ }}-workspace{{ end -}}
{{- end -}}
{{- end -}}
