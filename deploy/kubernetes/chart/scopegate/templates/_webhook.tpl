{{/* What the webhook adds to pods. The image is the webhook's own unless the values name another. */}}
{{- define "scopegate.webhookConfig" -}}
{{- $defaults := dict "image" (include "scopegate.image" .) -}}
{{- if .Values.workspace.url }}{{ $_ := set $defaults "workspace" .Values.workspace.url }}{{ end -}}
{{- toYaml (merge (deepCopy .Values.webhook.sidecar) $defaults) -}}
{{- end -}}
