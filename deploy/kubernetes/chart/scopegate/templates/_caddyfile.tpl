{{/* The Caddyfile. Nested text keeps its own indentation: Caddy does not mind. */}}
{{- define "scopegate.caddyfile" -}}
{{- if .Values.config.caddyfile -}}
{{ .Values.config.caddyfile }}
{{- else -}}
{
	# Only this user can open the socket: who can reads the secrets and can turn enforcement off.
	admin unix//run/scopegate/admin.sock|0600
	auto_https off
	persist_config off
	storage file_system /var/lib/scopegate
{{- if include "scopegate.tls" . }}
	# For clients that send no name in the handshake.
	default_sni {{ include "scopegate.fullname" . }}.{{ .Release.Namespace }}.svc
{{- end }}
	servers {
		protocols h1 {{ include "scopegate.tls" . | empty | not | ternary "h2" "h2c" }}
	}
	log default {
		exclude http.handlers.reverse_proxy
		format databricks_safe
	}
{{- with .Values.config.globalOptions }}
{{ trim . | replace "\n" "\n\t" | printf "\t%s" }}
{{- end }}
	databricks {
		workspace main {{ .Values.workspace.url }} {
			admin {
{{ include "scopegate.caddyfile.admin" . | trim | replace "\n" "\n\t\t\t\t" | printf "\t\t\t\t%s" }}
			}
{{- if .Values.fleet.url }}
{{ include "scopegate.caddyfile.fleet" . | trim | replace "\n" "\n\t\t\t" | printf "\t\t\t%s" }}
{{- end }}
{{- with .Values.workspace.options }}
{{ trim . | replace "\n" "\n\t\t\t" | printf "\t\t\t%s" }}
{{- end }}
		}
		audit {
			output {{ .Values.audit.output }}
			comment {{ .Values.audit.comment }}
			when_full {{ .Values.audit.whenFull }}
{{- if .Values.audit.redactPath }}
			redact path
{{- end }}
{{- with .Values.audit.options }}
{{ trim . | replace "\n" "\n\t\t\t" | printf "\t\t\t%s" }}
{{- end }}
		}
	}
}

{{ if eq .Values.mode "authority" -}}
{{ include "scopegate.caddyfile.authority" . }}
{{- else -}}
{{ include "scopegate.caddyfile.gateway" . }}
{{- end }}

# Probes of the kubelet, and metrics. They tell workspaces and counts, no secrets.
http://:8081 {
	databricks_scopes_health
	metrics /metrics
}
{{- end -}}
{{- end -}}

{{- define "scopegate.caddyfile.admin" -}}
{{- if eq .Values.mode "edge" -}}
authority {{ join " " .Values.edge.authorities }} {
{{- if .Values.edge.certificateSecret }}
	client_certificate /run/secrets/scopegate/edge/tls.crt /run/secrets/scopegate/edge/tls.key
{{- else }}
	token {file./run/secrets/scopegate/edge/token}
{{- end }}
{{- if .Values.edge.trust.configMap }}
	trust /etc/scopegate/trust/authorities/{{ .Values.edge.trust.key }}
{{- end }}
}
{{- else if .Values.credentials.tokenKey -}}
token {file./run/secrets/scopegate/admin/{{ .Values.credentials.tokenKey }}}
{{- else -}}
client_id {file./run/secrets/scopegate/admin/{{ .Values.credentials.clientIdKey }}}
client_secret {file./run/secrets/scopegate/admin/{{ .Values.credentials.clientSecretKey }}}
{{- end -}}
{{- end -}}

{{- define "scopegate.caddyfile.fleet" -}}
fleet {{ .Values.fleet.url }} {
	key {file./run/secrets/scopegate/fleet/{{ .Values.fleet.keyKey }}}
{{- with .Values.fleet.username }}
	username {{ . }}
{{- end }}
{{- with .Values.fleet.passwordKey }}
	password {file./run/secrets/scopegate/fleet/{{ . }}}
{{- end }}
{{- if .Values.fleet.trust.configMap }}
	tls {
		trust /etc/scopegate/trust/fleet/{{ .Values.fleet.trust.key }}
	}
{{- end }}
}
{{- end -}}

{{- define "scopegate.caddyfile.gateway" -}}
{{ include "scopegate.tls" . | empty | not | ternary "https" "http" }}://:{{ include "scopegate.port" . }} {
{{- if include "scopegate.tls" . }}
	tls /run/secrets/scopegate/tls/tls.crt /run/secrets/scopegate/tls/tls.key
{{- end }}
	databricks_gateway main {
		mode {{ .Values.gateway.mode }}
		unscoped_tokens {{ .Values.gateway.unscopedTokens }}
		oauth {{ .Values.gateway.oauth }}
{{- with .Values.gateway.cors }}
		cors {{ join " " . }}
{{- end }}
{{- with .Values.gateway.options }}
{{ trim . | replace "\n" "\n\t\t" | printf "\t\t%s" }}
{{- end }}
	}
}
{{- end -}}

{{- define "scopegate.caddyfile.authority" -}}
{{- $authority := .Values.authority -}}
https://:9443 {
{{- if $authority.clientCertificates.caSecret }}
	tls /run/secrets/scopegate/tls/tls.crt /run/secrets/scopegate/tls/tls.key {
		client_auth {
			mode {{ or $authority.serviceAccounts $authority.tokenSecret | empty | not | ternary "verify_if_given" "require_and_verify" }}
			trust_pool file /etc/scopegate/trust/edges/ca.crt
		}
	}
{{- else }}
	tls /run/secrets/scopegate/tls/tls.crt /run/secrets/scopegate/tls/tls.key
{{- end }}
	databricks_authority {
		workspace main
{{- if $authority.tokenSecret }}
		token {file./run/secrets/scopegate/edges/token}
{{- end }}
{{- if $authority.clientCertificates.caSecret }}
		client_certificate {{ join " " $authority.clientCertificates.names }}
{{- end }}
{{- with $authority.serviceAccounts }}
		kubernetes {
			issuer {{ $authority.issuer }}
			audience {{ $authority.audience }}
			trust /var/run/secrets/kubernetes.io/serviceaccount/ca.crt
			service_account {{ join " " . }}
		}
{{- end }}
	}
}
{{- end -}}
