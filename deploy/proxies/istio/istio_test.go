// Package istio checks the manifests for Istio in this folder.
package istio

import (
	"testing"

	"github.com/scopegate/scopegate/internal/testing/yamltest"
)

// The fields of istio.io/api v1.30.3 that the manifests use, in the names of its JSON form.
type (
	values struct {
		MeshConfig struct {
			ExtensionProviders []struct {
				Name              string `yaml:"name"`
				EnvoyExtAuthzGrpc struct {
					Service       string `yaml:"service"`
					Port          int    `yaml:"port"`
					Timeout       string `yaml:"timeout"`
					FailOpen      *bool  `yaml:"failOpen"`
					StatusOnError string `yaml:"statusOnError"`
				} `yaml:"envoyExtAuthzGrpc"`
			} `yaml:"extensionProviders"`
			PathNormalization struct {
				Normalization string `yaml:"normalization"`
			} `yaml:"pathNormalization"`
		} `yaml:"meshConfig"`
	}
	port struct {
		Name        string `yaml:"name"`
		Number      int    `yaml:"number"`
		Protocol    string `yaml:"protocol"`
		Port        int    `yaml:"port"`
		TargetPort  int    `yaml:"targetPort"`
		AppProtocol string `yaml:"appProtocol"`
	}
	service struct {
		Selector map[string]string `yaml:"selector"`
		Ports    []port            `yaml:"ports"`
	}
	authorizationPolicy struct {
		Selector struct {
			MatchLabels map[string]string `yaml:"matchLabels"`
		} `yaml:"selector"`
		Action   string `yaml:"action"`
		Provider struct {
			Name string `yaml:"name"`
		} `yaml:"provider"`
		Rules []map[string]any `yaml:"rules"`
	}
	tls struct {
		Mode           string `yaml:"mode"`
		SNI            string `yaml:"sni"`
		CredentialName string `yaml:"credentialName"`
	}
	gateway struct {
		Selector map[string]string `yaml:"selector"`
		Servers  []struct {
			Port  port     `yaml:"port"`
			Hosts []string `yaml:"hosts"`
			TLS   tls      `yaml:"tls"`
		} `yaml:"servers"`
	}
	serviceEntry struct {
		Hosts      []string `yaml:"hosts"`
		Location   string   `yaml:"location"`
		Resolution string   `yaml:"resolution"`
		Ports      []port   `yaml:"ports"`
	}
	destinationRule struct {
		Host          string `yaml:"host"`
		TrafficPolicy struct {
			TLS tls `yaml:"tls"`
		} `yaml:"trafficPolicy"`
	}
	virtualService struct {
		Hosts    []string `yaml:"hosts"`
		Gateways []string `yaml:"gateways"`
		HTTP     []struct {
			Rewrite struct { // no uri: it would come after the question
				Authority string `yaml:"authority"`
			} `yaml:"rewrite"`
			Route []struct {
				Destination struct {
					Host string `yaml:"host"`
					Port port   `yaml:"port"`
				} `yaml:"destination"`
			} `yaml:"route"`
			Timeout string `yaml:"timeout"`
		} `yaml:"http"`
	}
)

// TestManifests: what they say to each other fits together, nothing passes without an answer,
// and everything is asked about.
func TestManifests(t *testing.T) {
	mesh := yamltest.Next[values](t, yamltest.Open(t, "values.yaml")).MeshConfig
	provider := mesh.ExtensionProviders[0]
	asks := provider.EnvoyExtAuthzGrpc
	if asks.FailOpen == nil || *asks.FailOpen || asks.Timeout != "6s" || asks.StatusOnError != "503" || mesh.PathNormalization.Normalization != "NONE" {
		t.Errorf("mesh %+v", mesh)
	}
	from := yamltest.Open(t, "policy.yaml")
	answers := yamltest.Next[yamltest.Object[service]](t, from)
	if asks.Service != answers.Metadata["name"]+"."+answers.Metadata["namespace"]+".svc.cluster.local" || asks.Port != answers.Spec.Ports[0].Port || answers.Spec.Ports[0].AppProtocol != "grpc" {
		t.Errorf("asks %+v, answers %+v", asks, answers)
	}
	policy := yamltest.Next[yamltest.Object[authorizationPolicy]](t, from)
	if policy.Spec.Action != "CUSTOM" || policy.Spec.Provider.Name != provider.Name || len(policy.Spec.Rules) != 1 || len(policy.Spec.Rules[0]) > 0 {
		t.Errorf("policy %+v", policy)
	}
	edge := yamltest.Next[yamltest.Object[gateway]](t, from)
	if edge.Spec.Selector["istio"] != policy.Spec.Selector.MatchLabels["istio"] || edge.Metadata["namespace"] != policy.Metadata["namespace"] || edge.Spec.Servers[0].TLS.Mode != "SIMPLE" {
		t.Errorf("gateway %+v", edge)
	}
	workspace := yamltest.Next[yamltest.Object[serviceEntry]](t, from).Spec.Hosts[0]
	if rule := yamltest.Next[yamltest.Object[destinationRule]](t, from).Spec; rule.Host != workspace || rule.TrafficPolicy.TLS.SNI != workspace || rule.TrafficPolicy.TLS.Mode != "SIMPLE" {
		t.Errorf("rule %+v", rule)
	}
	route := yamltest.Next[yamltest.Object[virtualService]](t, from).Spec
	if sends := route.HTTP[0]; sends.Rewrite.Authority != workspace || sends.Route[0].Destination.Host != workspace || route.Hosts[0] != edge.Spec.Servers[0].Hosts[0] || route.Gateways[0] != edge.Metadata["name"] {
		t.Errorf("route %+v", route)
	}
	yamltest.End(t, from)
}
