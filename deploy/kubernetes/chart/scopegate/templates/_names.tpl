{{- define "scopegate.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{/* Names have room for suffixes such as -peers and a pod's ordinal. */}}
{{- define "scopegate.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains (include "scopegate.name" .) .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "scopegate.name" .) | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "scopegate.selectorLabels" -}}
app.kubernetes.io/name: {{ include "scopegate.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: {{ .Values.mode }}
{{- end -}}

{{- define "scopegate.labels" -}}
{{ include "scopegate.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end -}}

{{- define "scopegate.image" -}}
{{- $image := .Values.image -}}
{{- if $image.digest -}}
{{ $image.repository }}@{{ $image.digest }}
{{- else -}}
{{ $image.repository }}:{{ default .Chart.AppVersion $image.tag }}
{{- end -}}
{{- end -}}

{{- define "scopegate.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "scopegate.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* "true" in the modes that run a gateway or an authority. */}}
{{- define "scopegate.runs" -}}
{{- if has .Values.mode (list "standalone" "authority" "edge") -}}true{{- end -}}
{{- end -}}

{{- define "scopegate.tls" -}}
{{- if or .Values.tls.existingSecret .Values.tls.certManager.issuerRef.name -}}true{{- end -}}
{{- end -}}

{{- define "scopegate.tlsSecret" -}}
{{- default (printf "%s-tls" (include "scopegate.fullname" .)) .Values.tls.existingSecret -}}
{{- end -}}

{{/* The port that clients, edges or the API server connect to. */}}
{{- define "scopegate.port" -}}
{{- if eq .Values.mode "authority" -}}9443
{{- else if or (eq .Values.mode "webhook") (include "scopegate.tls" .) -}}8443
{{- else -}}8080
{{- end -}}
{{- end -}}

{{- define "scopegate.servicePort" -}}
{{- if .Values.service.port -}}{{ .Values.service.port }}
{{- else if eq .Values.mode "authority" -}}9443
{{- else if or (eq .Values.mode "webhook") (include "scopegate.tls" .) -}}443
{{- else -}}8080
{{- end -}}
{{- end -}}

{{/* The names that a certificate has to be for, one a line. */}}
{{- define "scopegate.hosts" -}}
{{- $service := printf "%s.%s.svc" (include "scopegate.fullname" .) .Release.Namespace -}}
{{ $service }}
{{ $service }}.cluster.local
{{ include "scopegate.fullname" . }}.{{ .Release.Namespace }}
{{ include "scopegate.fullname" . }}
{{- if eq .Values.mode "authority" }}
*.{{ include "scopegate.fullname" . }}-peers.{{ .Release.Namespace }}.svc
{{- end }}
{{- range .Values.tls.hosts }}
{{ . }}
{{- end }}
{{- end -}}
