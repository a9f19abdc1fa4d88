{{/* What the restricted Pod Security Standard asks of every container. */}}
{{- define "scopegate.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{- define "scopegate.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ int64 .Values.runAsUser }}
runAsGroup: {{ int64 .Values.runAsGroup }}
fsGroup: {{ int64 .Values.runAsGroup }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{/* The parts of a pod's spec that are the same in all modes. */}}
{{- define "scopegate.podCommon" -}}
serviceAccountName: {{ include "scopegate.serviceAccountName" . }}
automountServiceAccountToken: false
enableServiceLinks: false
terminationGracePeriodSeconds: {{ .Values.terminationGracePeriodSeconds }}
securityContext:
  {{- include "scopegate.podSecurity" . | nindent 2 }}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
topologySpreadConstraints:
{{- if .Values.topologySpreadConstraints }}
  {{- toYaml .Values.topologySpreadConstraints | nindent 2 }}
{{- else }}
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "scopegate.selectorLabels" . | nindent 8 }}
{{- end }}
{{- end -}}

{{- define "scopegate.podMetadata" -}}
annotations:
  checksum/config: {{ .config | sha256sum }}
  {{- with .context.Values.podAnnotations }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
labels:
  {{- include "scopegate.labels" .context | nindent 2 }}
  {{- with .context.Values.podLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{/* The pod of a gateway, an edge or an authority. */}}
{{- define "scopegate.pod" -}}
metadata:
  {{- include "scopegate.podMetadata" (dict "context" . "config" (include "scopegate.caddyfile" .)) | nindent 2 }}
spec:
  {{- include "scopegate.podCommon" . | nindent 2 }}
  containers:
    - name: scopegate
      image: {{ include "scopegate.image" . | quote }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      args:
        - run
        - --config=/etc/scopegate/Caddyfile
        - --adapter=caddyfile
        {{- with .Values.extraArgs }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      env:
        - {name: HOME, value: /var/lib/scopegate}
        - {name: XDG_CONFIG_HOME, value: /var/lib/scopegate/config}
        - {name: XDG_DATA_HOME, value: /var/lib/scopegate}
        - {name: XDG_RUNTIME_DIR, value: /run}
        {{- with .Values.extraEnv }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      ports:
        - {name: {{ eq .Values.mode "authority" | ternary "authority" "proxy" }}, containerPort: {{ include "scopegate.port" . }}}
        - {name: health, containerPort: 8081}
      startupProbe:
        httpGet: {path: /livez, port: health}
        periodSeconds: 1
        failureThreshold: 60
      readinessProbe:
        httpGet: {path: /readyz, port: health}
        periodSeconds: 5
        timeoutSeconds: 2
      livenessProbe:
        httpGet: {path: /livez, port: health}
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 6
      resources:
        {{- toYaml .Values.resources | nindent 8 }}
      securityContext:
        {{- include "scopegate.containerSecurity" . | nindent 8 }}
      volumeMounts:
        {{- include "scopegate.mounts" . | nindent 8 }}
  volumes:
    {{- include "scopegate.volumes" . | nindent 4 }}
{{- end -}}
