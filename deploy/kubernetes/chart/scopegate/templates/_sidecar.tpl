{{/*
The gateway as a native sidecar, for charts that depend on this one with mode: sidecar.

  initContainers:
    {{- include "scopegate.sidecar" .Subcharts.scopegate | nindent 4 }}
  volumes:
    {{- include "scopegate.sidecar.volumes" .Subcharts.scopegate | nindent 4 }}
*/}}
{{- define "scopegate.sidecar" -}}
{{- $sidecar := .Values.sidecar -}}
{{- if not $sidecar.workspace -}}
{{- fail "sidecar.workspace is needed: set scopegate.sidecar.workspace to https://<name>.cloud.databricks.com" -}}
{{- end -}}
{{- if not (or $sidecar.authorities $sidecar.configSecret) -}}
{{- fail "the sidecar cannot ask about tokens: set scopegate.sidecar.authorities (recommended) or scopegate.sidecar.configSecret" -}}
{{- end -}}
{{- if and $sidecar.authorities $sidecar.configSecret -}}
{{- fail "scopegate.sidecar.authorities and scopegate.sidecar.configSecret exclude each other: keep one" -}}
{{- end -}}
- name: scopegate
  image: {{ include "scopegate.image" . | quote }}
  imagePullPolicy: {{ .Values.image.pullPolicy }}
  restartPolicy: Always
  args:
    - sidecar
    - --workspace={{ $sidecar.workspace }}
    - --mode={{ $sidecar.mode }}
    - --listen={{ $sidecar.listen }}
    - --health=:{{ $sidecar.healthPort }}
    - --admin=unix//run/scopegate/admin.sock|0600
    {{- if $sidecar.authorities }}
    - --authority={{ join "," $sidecar.authorities }}
    - --authority-token-file=/etc/scopegate/credentials/token
    {{- if $sidecar.trustConfigMap }}
    - --authority-trust=/etc/scopegate/trust/ca.crt
    {{- end }}
    {{- else }}
    - --profile=DEFAULT
    - --usage=off
    {{- end }}
    {{- with $sidecar.extraArgs }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  env:
    - {name: HOME, value: /run/scopegate}
    - {name: XDG_DATA_HOME, value: /run/scopegate/data}
    - {name: XDG_CONFIG_HOME, value: /run/scopegate/config}
    - {name: XDG_RUNTIME_DIR, value: /run}
    {{- if $sidecar.configSecret }}
    - {name: DATABRICKS_CONFIG_FILE, value: /etc/scopegate/credentials/databrickscfg}
    {{- end }}
  ports:
    - {name: scopegate-probe, containerPort: {{ $sidecar.healthPort }}}
  startupProbe:
    httpGet: {path: /readyz, port: scopegate-probe}
    periodSeconds: 1
    failureThreshold: 120
  readinessProbe:
    httpGet: {path: /readyz, port: scopegate-probe}
    periodSeconds: 5
    timeoutSeconds: 2
  livenessProbe:
    httpGet: {path: /livez, port: scopegate-probe}
    periodSeconds: 10
    timeoutSeconds: 5
    failureThreshold: 6
  resources:
    {{- toYaml (default .Values.resources $sidecar.resources) | nindent 4 }}
  securityContext:
    runAsNonRoot: true
    runAsUser: {{ int64 $sidecar.runAsUser }}
    seccompProfile: {type: RuntimeDefault}
    {{- include "scopegate.containerSecurity" . | nindent 4 }}
  volumeMounts:
    - {name: scopegate-run, mountPath: /run/scopegate}
    - {name: scopegate-credential, mountPath: /etc/scopegate/credentials, readOnly: true}
    {{- if $sidecar.trustConfigMap }}
    - {name: scopegate-trust, mountPath: /etc/scopegate/trust, readOnly: true}
    {{- end }}
{{- end -}}

{{/*
Mount them in no other container of the pod: their files are readable for all, because a group of their own (fsGroup)
would change the pod's other volumes.
*/}}
{{- define "scopegate.sidecar.volumes" -}}
{{- $sidecar := .Values.sidecar -}}
- name: scopegate-run
  emptyDir: {medium: Memory, sizeLimit: 16Mi}
- name: scopegate-credential
{{- if $sidecar.configSecret }}
  secret: {secretName: {{ $sidecar.configSecret }}, defaultMode: 0444}
{{- else }}
  projected:
    defaultMode: 0444
    sources:
      - serviceAccountToken: {audience: {{ $sidecar.audience }}, expirationSeconds: 3600, path: token}
{{- end }}
{{- if $sidecar.trustConfigMap }}
- name: scopegate-trust
  configMap: {name: {{ $sidecar.trustConfigMap }}}
{{- end }}
{{- end -}}
