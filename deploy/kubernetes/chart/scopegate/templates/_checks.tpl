{{/* What no schema can say well: which values need which. Each message says what to set. */}}
{{- define "scopegate.check" -}}
{{- $values := .Values -}}
{{- $authority := $values.authority -}}
{{- $own := empty $values.config.caddyfile -}}
{{- if and (include "scopegate.runs" .) $own (not $values.workspace.url) -}}
{{- fail "workspace.url is needed: set it to https://<name>.cloud.databricks.com, or write a whole config.caddyfile" -}}
{{- end -}}
{{- if and (has $values.mode (list "standalone" "authority")) $own (not $values.credentials.existingSecret) -}}
{{- fail (printf "credentials.existingSecret is needed in mode %s: name a Secret with the keys %s and %s" $values.mode $values.credentials.clientIdKey $values.credentials.clientSecretKey) -}}
{{- end -}}
{{- if eq $values.mode "edge" -}}
{{- if $values.credentials.existingSecret -}}
{{- fail "an edge holds no admin credential: remove credentials.existingSecret, or use mode standalone" -}}
{{- end -}}
{{- if $values.fleet.url -}}
{{- fail "an edge has no fleet of its own: set fleet.url at its authorities" -}}
{{- end -}}
{{- if and $own (not $values.edge.authorities) -}}
{{- fail "edge.authorities is needed in mode edge: list the https:// URLs of the authorities" -}}
{{- end -}}
{{- if and $values.edge.tokenSecret $values.edge.certificateSecret -}}
{{- fail "edge.tokenSecret and edge.certificateSecret exclude each other: keep one" -}}
{{- end -}}
{{- end -}}
{{- if eq $values.mode "authority" -}}
{{- if not (include "scopegate.tls" .) -}}
{{- fail "an authority needs a certificate: set tls.existingSecret or tls.certManager.issuerRef" -}}
{{- end -}}
{{- if and $own (not (or $authority.serviceAccounts $authority.tokenSecret $authority.clientCertificates.caSecret)) -}}
{{- fail "nobody is let in: set authority.serviceAccounts, authority.tokenSecret or authority.clientCertificates.caSecret" -}}
{{- end -}}
{{- if and $own (gt (int $values.replicas) 1) (not $values.fleet.url) -}}
{{- fail "several authorities need a fleet: set fleet.url to Redis, or replicas to 1" -}}
{{- end -}}
{{- if $values.autoscaling.enabled -}}
{{- fail "authorities are not scaled automatically, because edges name each of them: set replicas, and autoscaling.enabled to false" -}}
{{- end -}}
{{- end -}}
{{- if and $values.fleet.url (not $values.fleet.existingSecret) -}}
{{- fail (printf "fleet.existingSecret is needed with fleet.url: name a Secret with the key %s, made by openssl rand -base64 32" $values.fleet.keyKey) -}}
{{- end -}}
{{- if and (eq $values.mode "webhook") (not (include "scopegate.tls" .)) -}}
{{- fail "a webhook needs a certificate: set tls.certManager.issuerRef, or tls.existingSecret and webhook.caBundle" -}}
{{- end -}}
{{- if and (eq $values.mode "webhook") (not $values.tls.certManager.issuerRef.name) (not $values.webhook.caBundle) -}}
{{- fail "webhook.caBundle is needed with tls.existingSecret: the API server trusts nothing else; set it to base64 of the PEM that signed the certificate" -}}
{{- end -}}
{{- if and (eq $values.mode "webhook") (not $values.workspace.url) (not $values.webhook.sidecar.workspace) -}}
{{- fail "workspace.url is needed: set it to https://<name>.cloud.databricks.com, for the sidecars that the webhook adds" -}}
{{- end -}}
{{- if and (eq $values.mode "webhook") (not $values.webhook.sidecar.credential) -}}
{{- fail "webhook.sidecar.credential is needed in mode webhook: name authorities or a Secret, as docs/helm.md shows" -}}
{{- end -}}
{{- if and $values.tls.existingSecret $values.tls.certManager.issuerRef.name -}}
{{- fail "tls.existingSecret and tls.certManager.issuerRef exclude each other: keep one" -}}
{{- end -}}
{{- if and $values.storage.persistence.enabled (has $values.mode (list "standalone" "edge")) (or $values.autoscaling.enabled (gt (int $values.replicas) 1)) (not (has "ReadWriteMany" $values.storage.persistence.accessModes)) -}}
{{- fail "one volume cannot serve several gateways: set replicas to 1, or storage.persistence.accessModes to [ReadWriteMany]" -}}
{{- end -}}
{{- end -}}
