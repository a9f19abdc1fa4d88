{{/* Volumes of a gateway. Secrets are files of root's that only the pod's group can read. */}}
{{- define "scopegate.volumes" -}}
- name: config
  configMap: {name: {{ include "scopegate.fullname" . }}}
- name: run
  emptyDir: {medium: Memory, sizeLimit: 1Mi}
{{- if not .Values.storage.persistence.enabled }}
- name: storage
  emptyDir: {sizeLimit: {{ .Values.storage.sizeLimit }}}
{{- else if ne .Values.mode "authority" }}
- name: storage
  persistentVolumeClaim: {claimName: {{ default (include "scopegate.fullname" .) .Values.storage.persistence.existingClaim }}}
{{- end }}
{{- range $name, $secret := include "scopegate.secrets" . | fromYaml }}
- name: {{ $name }}
  secret: {secretName: {{ $secret }}, defaultMode: 0440}
{{- end }}
{{- range $name, $map := include "scopegate.trusts" . | fromYaml }}
- name: trust-{{ $name }}
  {{- toYaml $map | nindent 2 }}
{{- end }}
{{- if include "scopegate.edgeToken" . }}
- name: edge
  projected:
    defaultMode: 0440
    sources:
      - serviceAccountToken: {audience: {{ .Values.edge.audience }}, expirationSeconds: 3600, path: token}
{{- end }}
{{- if and (eq .Values.mode "authority") .Values.authority.serviceAccounts }}
- name: api-server
  projected:
    defaultMode: 0440
    sources:
      - serviceAccountToken: {expirationSeconds: 3600, path: token}
      - configMap: {name: kube-root-ca.crt, items: [{key: ca.crt, path: ca.crt}]}
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "scopegate.mounts" -}}
- {name: config, mountPath: /etc/scopegate/Caddyfile, subPath: Caddyfile, readOnly: true}
- {name: run, mountPath: /run/scopegate}
- {name: storage, mountPath: /var/lib/scopegate}
{{- range $name, $secret := include "scopegate.secrets" . | fromYaml }}
- {name: {{ $name }}, mountPath: /run/secrets/scopegate/{{ $name }}, readOnly: true}
{{- end }}
{{- range $name, $map := include "scopegate.trusts" . | fromYaml }}
- {name: trust-{{ $name }}, mountPath: /etc/scopegate/trust/{{ $name }}, readOnly: true}
{{- end }}
{{- if include "scopegate.edgeToken" . }}
- {name: edge, mountPath: /run/secrets/scopegate/edge, readOnly: true}
{{- end }}
{{- if and (eq .Values.mode "authority") .Values.authority.serviceAccounts }}
- {name: api-server, mountPath: /var/run/secrets/kubernetes.io/serviceaccount, readOnly: true}
{{- end }}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* "true" if the edge shows the token of its service account. */}}
{{- define "scopegate.edgeToken" -}}
{{- if and (eq .Values.mode "edge") (not .Values.edge.tokenSecret) (not .Values.edge.certificateSecret) -}}true{{- end -}}
{{- end -}}

{{/* Secrets to mount, by the name of their folder below /run/secrets/scopegate. */}}
{{- define "scopegate.secrets" -}}
{{- $secrets := dict -}}
{{- if .Values.credentials.existingSecret }}{{ $_ := set $secrets "admin" .Values.credentials.existingSecret }}{{ end -}}
{{- if .Values.fleet.existingSecret }}{{ $_ := set $secrets "fleet" .Values.fleet.existingSecret }}{{ end -}}
{{- if include "scopegate.tls" . }}{{ $_ := set $secrets "tls" (include "scopegate.tlsSecret" .) }}{{ end -}}
{{- if eq .Values.mode "authority" -}}
{{- if .Values.authority.tokenSecret }}{{ $_ := set $secrets "edges" .Values.authority.tokenSecret }}{{ end -}}
{{- else if eq .Values.mode "edge" -}}
{{- with default .Values.edge.certificateSecret .Values.edge.tokenSecret }}{{ $_ := set $secrets "edge" . }}{{ end -}}
{{- end -}}
{{- toYaml $secrets -}}
{{- end -}}

{{/* Certificate authorities to mount, by the name of their folder below /etc/scopegate/trust. */}}
{{- define "scopegate.trusts" -}}
{{- $trusts := dict -}}
{{- with .Values.fleet.trust.configMap }}{{ $_ := set $trusts "fleet" (dict "configMap" (dict "name" .)) }}{{ end -}}
{{- if eq .Values.mode "edge" -}}
{{- with .Values.edge.trust.configMap }}{{ $_ := set $trusts "authorities" (dict "configMap" (dict "name" .)) }}{{ end -}}
{{- else if eq .Values.mode "authority" -}}
{{- with .Values.authority.clientCertificates.caSecret }}{{ $_ := set $trusts "edges" (dict "secret" (dict "secretName" . "defaultMode" 0440 "items" (list (dict "key" "ca.crt" "path" "ca.crt")))) }}{{ end -}}
{{- end -}}
{{- toYaml $trusts -}}
{{- end -}}
