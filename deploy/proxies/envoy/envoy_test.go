// Package envoy checks the configurations of Envoy in this folder against Envoy's API.
package envoy

import (
	"encoding/json"
	"os"
	"testing"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	extauthzv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_authz/v3"
	routerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	upstreamsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"
)

// read returns a configuration as Envoy reads it: strictly.
func read(t *testing.T, name string) *bootstrapv3.Bootstrap {
	t.Helper()
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var tree any
	if err := yaml.Unmarshal(content, &tree); err != nil {
		t.Fatal(err)
	}
	encoded, err := json.Marshal(tree)
	if err != nil {
		t.Fatal(err)
	}
	config := new(bootstrapv3.Bootstrap)
	if err := protojson.Unmarshal(encoded, config); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	validate(t, name, config)
	return config
}

// validate checks a message and, unlike Envoy's generated code, those that are packed in it.
func validate(t *testing.T, name string, m proto.Message) {
	t.Helper()
	if err := m.(interface{ ValidateAll() error }).ValidateAll(); err != nil {
		t.Errorf("%s: %v", name, err)
	}
	eachAny(m.ProtoReflect(), func(packed *anypb.Any) { validate(t, name, open(t, packed)) })
}

// eachAny calls found for every packed message in a message.
func eachAny(m protoreflect.Message, found func(*anypb.Any)) {
	if packed, ok := m.Interface().(*anypb.Any); ok {
		found(packed)
		return
	}
	m.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		switch {
		case field.IsMap() && field.MapValue().Message() != nil:
			value.Map().Range(func(_ protoreflect.MapKey, value protoreflect.Value) bool {
				eachAny(value.Message(), found)
				return true
			})
		case field.IsMap() || field.Message() == nil:
		case field.IsList():
			for i := range value.List().Len() {
				eachAny(value.List().Get(i).Message(), found)
			}
		default:
			eachAny(value.Message(), found)
		}
		return true
	})
}

func open(t *testing.T, packed *anypb.Any) proto.Message {
	t.Helper()
	m, err := packed.UnmarshalNew()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestConfigurations: they are valid, everything is asked about, and nothing changes between
// asking and sending.
func TestConfigurations(t *testing.T) {
	for _, name := range []string{"envoy-grpc.yaml", "envoy-http.yaml"} {
		t.Run(name, func(t *testing.T) {
			config := read(t, name)
			clusters := map[string]*clusterv3.Cluster{}
			for _, c := range config.GetStaticResources().GetClusters() {
				clusters[c.GetName()] = c
			}
			for _, l := range config.GetStaticResources().GetListeners() {
				manager := open(t, l.GetFilterChains()[0].GetFilters()[0].GetTypedConfig()).(*hcmv3.HttpConnectionManager)
				if open(t, l.GetFilterChains()[0].GetTransportSocket().GetTypedConfig()).(*tlsv3.DownstreamTlsContext) == nil {
					t.Error("clients send tokens in the clear")
				}
				checkPaths(t, manager)
				filters := manager.GetHttpFilters()
				if len(filters) != 2 {
					t.Fatalf("%d filters", len(filters))
				}
				checkAsks(t, open(t, filters[0].GetTypedConfig()).(*extauthzv3.ExtAuthz), clusters)
				if _, ok := open(t, filters[1].GetTypedConfig()).(*routerv3.Router); !ok {
					t.Error("the last filter is not the router")
				}
			}
			socket := open(t, clusters["databricks"].GetTransportSocket().GetTypedConfig()).(*tlsv3.UpstreamTlsContext)
			if socket.GetSni() == "" || !socket.GetAutoSniSanValidation() || socket.GetCommonTlsContext().GetValidationContext().GetTrustedCa() == nil {
				t.Error("the workspace is not verified")
			}
			if endpoint := clusters["databricks"].GetLoadAssignment().GetEndpoints()[0].GetLbEndpoints()[0].GetEndpoint(); endpoint.GetHostname() != socket.GetSni() {
				t.Errorf("Host would be %q", endpoint.GetHostname())
			}
		})
	}
}

// checkPaths checks that paths and headers are sent as they are judged.
func checkPaths(t *testing.T, manager *hcmv3.HttpConnectionManager) {
	t.Helper()
	if manager.GetNormalizePath().GetValue() || manager.GetMergeSlashes() || manager.GetPathWithEscapedSlashesAction() != hcmv3.HttpConnectionManager_KEEP_UNCHANGED {
		t.Error("paths are changed")
	}
	for _, host := range manager.GetRouteConfig().GetVirtualHosts() {
		for _, route := range host.GetRoutes() {
			action := route.GetRoute()
			if action.GetPrefixRewrite() != "" || action.GetRegexRewrite() != nil || action.GetPathRewritePolicy() != nil || len(route.GetRequestHeadersToAdd()) > 0 || len(route.GetTypedPerFilterConfig()) > 0 {
				t.Errorf("route %v changes what was judged, or is not asked about", route)
			}
			if !action.GetAutoHostRewrite().GetValue() || action.GetTimeout().AsDuration() != 0 {
				t.Errorf("route %v", route)
			}
		}
	}
}

// checkAsks checks that the whole of each request is asked about, and nothing passes without
// an answer.
func checkAsks(t *testing.T, filter *extauthzv3.ExtAuthz, clusters map[string]*clusterv3.Cluster) {
	t.Helper()
	if filter.GetFailureModeAllow() || filter.GetFilterEnabled() != nil || filter.GetDisallowedHeaders() != nil || !filter.GetEncodeRawHeaders() {
		t.Error("something passes without an answer")
	}
	if grpc := filter.GetGrpcService(); grpc != nil {
		options := open(t, clusters[grpc.GetEnvoyGrpc().GetClusterName()].GetTypedExtensionProtocolOptions()["envoy.extensions.upstreams.http.v3.HttpProtocolOptions"]).(*upstreamsv3.HttpProtocolOptions)
		if options.GetExplicitHttpConfig().GetHttp2ProtocolOptions() == nil || grpc.GetTimeout().AsDuration().Seconds() != 6 || filter.GetAllowedHeaders() != nil {
			t.Error("gRPC")
		}
		return
	}
	server := filter.GetHttpService().GetServerUri()
	if clusters[server.GetCluster()] == nil || filter.GetHttpService().GetPathPrefix() != "/envoy" || server.GetTimeout().AsDuration().Seconds() != 6 {
		t.Error("HTTP")
	}
	if patterns := filter.GetAllowedHeaders().GetPatterns(); len(patterns) != 1 || patterns[0].GetSafeRegex().GetRegex() != ".*" {
		t.Error("not all headers are asked about")
	}
}
