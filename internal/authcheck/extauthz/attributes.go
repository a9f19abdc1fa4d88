package extauthz

import (
	"cmp"
	"context"
	"maps"
	"net/http"
	"net/netip"
	"net/textproto"
	"net/url"
	"slices"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"

	"github.com/scopegate/scopegate/internal/authcheck"
)

// describe returns the request that Envoy describes over gRPC. With a problem, it holds
// what can be recorded.
func describe(ctx context.Context, check *authv3.CheckRequest) (authcheck.Description, *authcheck.Problem) {
	said := check.GetAttributes().GetRequest().GetHttp()
	asked := authcheck.Description{Dialect: authcheck.Envoy, Request: (&http.Request{Method: http.MethodGet, URL: &url.URL{Path: "/"}, Header: make(http.Header)}).WithContext(ctx)}
	if said.GetMethod() == "" || said.GetPath() == "" {
		return asked, authcheck.Misconfigured("Envoy asks without method or path of an HTTP request; use ext_authz as an HTTP filter")
	}
	var problem, malformed, sanitized *authcheck.Problem
	asked.Request, malformed = authcheck.Request(ctx, said.GetMethod(), said.GetPath())
	asked.Request.ContentLength = max(said.GetSize(), 0)
	asked.Request.Header, problem = headerOf(said)
	if !isRaw(said) {
		sanitized = authcheck.Sanitized(said.GetPath(), "set encode_raw_headers")
	}
	if address, err := netip.ParseAddr(check.GetAttributes().GetSource().GetAddress().GetSocketAddress().GetAddress()); err == nil {
		asked.Client = address.String()
	}
	return asked, cmp.Or(problem, sanitized, malformed)
}

// isRaw reports whether a check has the path as bytes too.
func isRaw(said *authv3.AttributeContext_HttpRequest) bool {
	return slices.ContainsFunc(said.GetHeaderMap().GetHeaders(), func(h *corev3.HeaderValue) bool {
		return h.GetKey() == ":path" && h.GetRawValue() != nil
	})
}

// headerOf returns the headers of a check, which has them in one of two forms. With a problem,
// they are those before it.
func headerOf(said *authv3.AttributeContext_HttpRequest) (http.Header, *authcheck.Problem) {
	raw := said.GetHeaderMap().GetHeaders()
	header := make(http.Header, max(len(raw), len(said.GetHeaders())))
	if len(raw) > 0 && len(said.GetHeaders()) > 0 {
		return header, authcheck.Ambiguous("headers are in headers and in header_map")
	}
	for _, h := range raw {
		if problem := add(header, said, h.GetKey(), valueOf(h)); problem != nil {
			return header, problem
		}
	}
	for _, name := range slices.Sorted(maps.Keys(said.GetHeaders())) {
		if problem := add(header, said, name, said.GetHeaders()[name]); problem != nil {
			return header, problem
		}
	}
	return header, nil
}

func valueOf(h *corev3.HeaderValue) string {
	if raw := h.GetRawValue(); raw != nil {
		return string(raw)
	}
	return h.GetValue()
}

// add adds a header. Those of HTTP/2 that stand for the request line must agree with it.
func add(header http.Header, said *authv3.AttributeContext_HttpRequest, name, value string) *authcheck.Problem {
	if !strings.HasPrefix(name, ":") {
		name = textproto.CanonicalMIMEHeaderKey(name)
		header[name] = append(header[name], value)
		return nil
	}
	switch {
	case name == ":method" && value != said.GetMethod():
		return authcheck.Ambiguous("the header :method is not the method")
	case name == ":path" && value != said.GetPath():
		return authcheck.Ambiguous("the header :path is not the path")
	}
	return nil
}
