// Package envoygateway checks the manifests for Envoy Gateway in this folder.
package envoygateway

import (
	"testing"

	"github.com/scopegate/scopegate/internal/testing/yamltest"
)

// The fields of Envoy Gateway v1.9.0 and of the Gateway API that the manifests use.
type (
	service struct {
		Selector map[string]string `yaml:"selector"`
		Ports    []struct {
			Name        string `yaml:"name"`
			Port        int    `yaml:"port"`
			TargetPort  int    `yaml:"targetPort"`
			AppProtocol string `yaml:"appProtocol"`
		} `yaml:"ports"`
	}
	reference struct {
		Group string `yaml:"group"`
		Kind  string `yaml:"kind"`
		Name  string `yaml:"name"`
		Port  int    `yaml:"port"`
	}
	gateway struct {
		GatewayClassName string `yaml:"gatewayClassName"`
		Listeners        []struct {
			Name     string `yaml:"name"`
			Protocol string `yaml:"protocol"`
			Port     int    `yaml:"port"`
			Hostname string `yaml:"hostname"`
			TLS      struct {
				Mode            string      `yaml:"mode"`
				CertificateRefs []reference `yaml:"certificateRefs"`
			} `yaml:"tls"`
		} `yaml:"listeners"`
	}
	backend struct {
		Endpoints []struct {
			FQDN struct {
				Hostname string `yaml:"hostname"`
				Port     int    `yaml:"port"`
			} `yaml:"fqdn"`
		} `yaml:"endpoints"`
		TLS struct {
			WellKnownCACertificates string `yaml:"wellKnownCACertificates"`
			SNI                     string `yaml:"sni"`
		} `yaml:"tls"`
	}
	httpRoute struct {
		ParentRefs []reference `yaml:"parentRefs"`
		Hostnames  []string    `yaml:"hostnames"`
		Rules      []struct {
			Matches []struct {
				Path struct {
					Type  string `yaml:"type"`
					Value string `yaml:"value"`
				} `yaml:"path"`
			} `yaml:"matches"`
			Filters []struct {
				Type       string   `yaml:"type"`
				URLRewrite struct { // no path: it would come after the question
					Hostname string `yaml:"hostname"`
				} `yaml:"urlRewrite"`
			} `yaml:"filters"`
			BackendRefs []reference `yaml:"backendRefs"`
			Timeouts    struct {
				Request string `yaml:"request"`
			} `yaml:"timeouts"`
		} `yaml:"rules"`
	}
	securityPolicy struct {
		TargetRefs []reference `yaml:"targetRefs"`
		ExtAuth    struct {    // no headersToExtAuth: all headers must be sent
			GRPC struct {
				BackendRefs []reference `yaml:"backendRefs"`
			} `yaml:"grpc"`
			Timeout       string `yaml:"timeout"`
			FailOpen      *bool  `yaml:"failOpen"`
			StatusOnError int    `yaml:"statusOnError"`
		} `yaml:"extAuth"`
	}
	clientTrafficPolicy struct {
		TargetRefs []reference `yaml:"targetRefs"`
		Path       struct {
			DisableMergeSlashes  bool   `yaml:"disableMergeSlashes"`
			EscapedSlashesAction string `yaml:"escapedSlashesAction"`
		} `yaml:"path"`
		Headers struct {
			WithUnderscoresAction string `yaml:"withUnderscoresAction"`
		} `yaml:"headers"`
	}
)

// TestManifests: what they say to each other fits together, nothing passes without an answer,
// and everything is asked about.
func TestManifests(t *testing.T) {
	from := yamltest.Open(t, "databricks.yaml")
	answers := yamltest.Next[yamltest.Object[service]](t, from)
	edge := yamltest.Next[yamltest.Object[gateway]](t, from)
	workspace := yamltest.Next[yamltest.Object[backend]](t, from)
	host := workspace.Spec.Endpoints[0].FQDN.Hostname
	if workspace.Spec.TLS.SNI != host || workspace.Spec.TLS.WellKnownCACertificates != "System" || edge.Spec.Listeners[0].Protocol != "HTTPS" {
		t.Errorf("workspace %+v, gateway %+v", workspace, edge)
	}
	route := yamltest.Next[yamltest.Object[httpRoute]](t, from).Spec
	rule := route.Rules[0]
	if route.ParentRefs[0].Name != edge.Metadata["name"] || route.Hostnames[0] != edge.Spec.Listeners[0].Hostname || rule.Matches[0].Path.Value != "/" ||
		rule.Filters[0].URLRewrite.Hostname != host || len(rule.Filters) != 1 || rule.BackendRefs[0].Name != workspace.Metadata["name"] || rule.BackendRefs[0].Kind != workspace.Kind {
		t.Errorf("route %+v", route)
	}
	policy := yamltest.Next[yamltest.Object[securityPolicy]](t, from)
	asks := policy.Spec.ExtAuth
	if asks.FailOpen == nil || *asks.FailOpen || asks.Timeout != "6s" || asks.StatusOnError != 503 || asks.GRPC.BackendRefs[0].Name != answers.Metadata["name"] ||
		asks.GRPC.BackendRefs[0].Port != answers.Spec.Ports[0].Port || policy.Spec.TargetRefs[0] != (reference{"gateway.networking.k8s.io", edge.Kind, edge.Metadata["name"], 0}) {
		t.Errorf("policy %+v", policy)
	}
	clients := yamltest.Next[yamltest.Object[clientTrafficPolicy]](t, from).Spec
	if clients.TargetRefs[0] != policy.Spec.TargetRefs[0] || !clients.Path.DisableMergeSlashes || clients.Path.EscapedSlashesAction != "KeepUnchanged" || clients.Headers.WithUnderscoresAction != "DropHeader" {
		t.Errorf("clients %+v", clients)
	}
	yamltest.End(t, from)
}
