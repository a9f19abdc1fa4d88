package extauthz

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/scopegate/scopegate/internal/policy"
)

// said returns a check that describes a request.
func said(of *authv3.AttributeContext_HttpRequest) *authv3.CheckRequest {
	return &authv3.CheckRequest{Attributes: &authv3.AttributeContext{Request: &authv3.AttributeContext_Request{Http: of}}}
}

// raw returns headers in the form of encode_raw_headers, from names and values.
func raw(namesAndValues ...string) *corev3.HeaderMap {
	m := new(corev3.HeaderMap)
	for i := 0; i < len(namesAndValues); i += 2 {
		m.Headers = append(m.Headers, &corev3.HeaderValue{Key: namesAndValues[i], RawValue: []byte(namesAndValues[i+1])})
	}
	return m
}

func TestDescribe(t *testing.T) {
	type httpRequest = authv3.AttributeContext_HttpRequest
	type text = map[string]string
	const path = "/api/2.0/fs/files/a?x=%2f"
	for _, test := range []struct {
		name   string
		check  *authv3.CheckRequest
		reason policy.Reason // of the problem, empty for none
		header http.Header
	}{
		{name: "nothing", check: nil, reason: policy.GatewayMisconfigured},
		{name: "no attributes", check: &authv3.CheckRequest{}, reason: policy.GatewayMisconfigured},
		{name: "a connection", check: &authv3.CheckRequest{Attributes: &authv3.AttributeContext{Source: &authv3.AttributeContext_Peer{Principal: "x"}}}, reason: policy.GatewayMisconfigured},
		{name: "a request without HTTP", check: &authv3.CheckRequest{Attributes: &authv3.AttributeContext{Request: &authv3.AttributeContext_Request{}}}, reason: policy.GatewayMisconfigured},
		{name: "no method", check: said(&httpRequest{Path: path}), reason: policy.GatewayMisconfigured},
		{name: "no path", check: said(&httpRequest{Method: "GET"}), reason: policy.GatewayMisconfigured},
		{name: "only a header :path", check: said(&httpRequest{Method: "GET", Headers: text{":path": path}}), reason: policy.GatewayMisconfigured},
		{name: "no headers", check: said(&httpRequest{Method: "GET", Path: path}), header: http.Header{}},
		{
			name: "text", check: said(&httpRequest{Method: "GET", Path: path, Headers: text{
				":method": "GET", ":path": path, ":authority": "h", ":scheme": "https", "authorization": "Bearer x", "x-a": "1,2",
			}}),
			header: http.Header{"Authorization": {"Bearer x"}, "X-A": {"1,2"}},
		},
		{
			name: "raw", check: said(&httpRequest{Method: "GET", Path: path, HeaderMap: raw(":method", "GET", ":path", path, "x-a", "1", "x-b", "\xff", "x-a", "2")}),
			header: http.Header{"X-A": {"1", "2"}, "X-B": {"\xff"}},
		},
		{
			name:   "raw wins over text in one header",
			check:  said(&httpRequest{Method: "GET", Path: path, HeaderMap: &corev3.HeaderMap{Headers: []*corev3.HeaderValue{{Key: "x-a", Value: "!", RawValue: []byte("\xff")}, {Key: "x-b", Value: "v"}}}}),
			header: http.Header{"X-A": {"\xff"}, "X-B": {"v"}},
		},
		{name: "both forms", check: said(&httpRequest{Method: "GET", Path: path, Headers: text{"a": "b"}, HeaderMap: raw("a", "b")}), reason: policy.AmbiguousRequest},
		{name: "another :path", check: said(&httpRequest{Method: "GET", Path: path, Headers: text{":path": "/other"}}), reason: policy.AmbiguousRequest},
		{name: "an empty :path", check: said(&httpRequest{Method: "GET", Path: path, HeaderMap: raw(":path", "")}), reason: policy.AmbiguousRequest},
		{name: "a second :path", check: said(&httpRequest{Method: "GET", Path: path, HeaderMap: raw(":path", path, ":path", "/other")}), reason: policy.AmbiguousRequest},
		{name: "another :method", check: said(&httpRequest{Method: "GET", Path: path, HeaderMap: raw(":method", "POST")}), reason: policy.AmbiguousRequest},
		{name: "raw bytes in :path", check: said(&httpRequest{Method: "GET", Path: "/a!", HeaderMap: raw(":path", "/a\xff")}), reason: policy.AmbiguousRequest},
		{
			name: "one name in two spellings", check: said(&httpRequest{Method: "GET", Path: path, Headers: text{"authorization": "Bearer x", "Authorization": "Bearer y"}}),
			header: http.Header{"Authorization": {"Bearer y", "Bearer x"}}, // two, which the judge refuses
		},
		{name: "a ! for a byte", check: said(&httpRequest{Method: "GET", Path: "/a!", Headers: text{":path": "/a!"}}), reason: policy.AmbiguousRequest},
		{name: "a ! without headers", check: said(&httpRequest{Method: "GET", Path: "/a!"}), reason: policy.AmbiguousRequest},
		{name: "a ! in raw bytes", check: said(&httpRequest{Method: "GET", Path: "/a!", HeaderMap: raw(":path", "/a!")}), header: http.Header{}},
		{name: "a ! in a query", check: said(&httpRequest{Method: "GET", Path: "/a?b=!"}), header: http.Header{}},
		{name: "not an origin form", check: said(&httpRequest{Method: "GET", Path: "http://h/a"}), reason: policy.MalformedPath},
		{name: "an authority", check: said(&httpRequest{Method: "CONNECT", Path: "h:443"}), reason: policy.MalformedPath},
		{name: "not a method", check: said(&httpRequest{Method: "GE T", Path: path}), reason: policy.MalformedPath},
		{name: "a broken escape", check: said(&httpRequest{Method: "GET", Path: "/%zz"}), reason: policy.MalformedPath},
		{name: "a control character", check: said(&httpRequest{Method: "GET", Path: "/a\x00"}), reason: policy.MalformedPath},
		{name: "longer than any proxy takes", check: said(&httpRequest{Method: "GET", Path: "/" + strings.Repeat("a", 64<<10)}), reason: policy.MalformedPath},
	} {
		t.Run(test.name, func(t *testing.T) {
			asked, problem := describe(t.Context(), test.check)
			if asked.Request == nil || asked.Request.URL == nil || asked.Request.Header == nil {
				t.Fatal("nothing can be recorded")
			}
			if problem != nil {
				if problem.Reason != test.reason || problem.Text == "" {
					t.Errorf("problem %v, want %q", problem, test.reason)
				}
				return
			}
			if test.reason != "" {
				t.Fatalf("described %s %s, want %s", asked.Request.Method, asked.Request.RequestURI, test.reason)
			}
			of := test.check.GetAttributes().GetRequest().GetHttp()
			if asked.Request.Method != of.GetMethod() || asked.Request.RequestURI != of.GetPath() {
				t.Errorf("described %s %s", asked.Request.Method, asked.Request.RequestURI)
			}
			if diff := cmp.Diff(test.header, asked.Request.Header); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// TestSizes: the length of a body is what Envoy says; -1 stands for one that it does not know.
func TestSizes(t *testing.T) {
	for size, want := range map[int64]int64{-1: 0, 0: 0, 7: 7} {
		asked, problem := describe(t.Context(), said(&authv3.AttributeContext_HttpRequest{Method: "PUT", Path: "/a", Size: size}))
		if problem != nil || asked.Request.ContentLength != want {
			t.Errorf("size %d: length %d, %v", size, asked.Request.ContentLength, problem)
		}
	}
}

// TestClientAddress: the client is who connected to Envoy, where that has an IP address.
func TestClientAddress(t *testing.T) {
	for address, want := range map[string]string{"192.0.2.1": "192.0.2.1", "2001:db8::1": "2001:db8::1", "": "", "/run/envoy.sock": ""} {
		check := said(&authv3.AttributeContext_HttpRequest{Method: "GET", Path: "/a"})
		check.Attributes.Source = &authv3.AttributeContext_Peer{Address: &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{Address: address}}}}
		if asked, problem := describe(t.Context(), check); problem != nil || asked.Client != want {
			t.Errorf("%q: client %q, %v", address, asked.Client, problem)
		}
	}
}

// FuzzAttributes: whatever bytes come as a check, what is judged is what they say is sent, or
// nothing.
func FuzzAttributes(f *testing.F) {
	for _, of := range []*authv3.AttributeContext_HttpRequest{
		{},
		{Method: "GET", Path: "/api/2.0/fs/files/a?b=c", Headers: map[string]string{":path": "/api/2.0/fs/files/a?b=c", "authorization": "Bearer x", "Authorization": "y"}},
		{Method: "POST", Path: "/a!", HeaderMap: raw(":path", "/a!", ":method", "POST", "x-http-method", "\xff"), Size: -1},
		{Method: "GET", Path: "/a", HeaderMap: raw("", "", ":path", "/b"), Headers: map[string]string{"": ""}},
	} {
		encoded, err := proto.Marshal(said(of))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(encoded)
	}
	f.Fuzz(func(t *testing.T, encoded []byte) {
		check := new(authv3.CheckRequest)
		if proto.Unmarshal(encoded, check) != nil {
			return // gRPC refuses it
		}
		asked, problem := describe(t.Context(), check)
		if problem != nil {
			if problem.Reason == "" || problem.Text == "" || asked.Request == nil {
				t.Fatalf("problem %v", problem)
			}
			return
		}
		of := check.GetAttributes().GetRequest().GetHttp()
		if asked.Request.RequestURI != of.GetPath() || asked.Request.Method != of.GetMethod() || !strings.HasPrefix(of.GetPath(), "/") {
			t.Fatalf("judged %q %q, said %q %q", asked.Request.Method, asked.Request.RequestURI, of.GetMethod(), of.GetPath())
		}
		// No header is lost: each that can be sent is judged, as often as it is there.
		said := len(of.GetHeaders()) + len(of.GetHeaderMap().GetHeaders())
		for name := range maps.Keys(of.GetHeaders()) {
			if strings.HasPrefix(name, ":") {
				said--
			}
		}
		for _, h := range of.GetHeaderMap().GetHeaders() {
			if strings.HasPrefix(h.GetKey(), ":") {
				said--
			}
			if strings.EqualFold(h.GetKey(), ":path") && string(h.GetRawValue()) != of.GetPath() && h.GetValue() != of.GetPath() {
				t.Fatalf("judged %q, but sends %q", of.GetPath(), h.GetRawValue())
			}
		}
		judged := 0
		for _, values := range asked.Request.Header {
			judged += len(values)
		}
		if judged != said {
			t.Fatalf("%d headers judged of %d: %v", judged, said, slices.Sorted(maps.Keys(asked.Request.Header)))
		}
	})
}
