package judge

import (
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// spellings are names by which some servers know a header.
func spellings(name string) []string {
	var all []string
	for _, with := range []string{"-", "_", ".", "~", "!", "|"} {
		all = append(all, strings.ReplaceAll(name, "-", with))
	}
	return append(all, name+"_", "_"+name, name+".", strings.Replace(name, "-", "_", 1), "HTTP_"+strings.ReplaceAll(name, "-", "_"))
}

func TestForwardingHeaders(t *testing.T) {
	for _, name := range []string{
		"Forwarded", "X-Forwarded", "Forwarded-For", "X-Forward-For", "X-Forwarded-For-Original", "X-Forwarded-Port", "X-Forwarded-Server",
		"X-Forwarded-Scheme", "X-Forwarded-Ssl", "X-Forwarded-By", "X-Forwarded-Client-IP", "X-Forwarded-Client-Cert", "X-Forwarded-User",
		"X-Forwarded-Email", "X-Forwarded-Tls-Client-Cert", "X-Forwarded-Whatever",
		"X-Real-IP", "X-Real-Port", "Real-IP", "True-Client-IP", "X-Client-IP", "Client-IP", "X-Cluster-Client-IP", "CF-Connecting-IP",
		"CF-Connecting-IPv6", "CF-Pseudo-IPv4", "CF-Visitor", "CF-IPCountry", "Fastly-Client-IP", "Fastly-SSL", "Fly-Client-IP", "X-Remote-IP",
		"X-Remote-Addr", "Remote-Addr", "X-Remote-Host", "Remote-User", "X-Remote-User", "X-Originating-IP", "X-Source-IP", "X-ProxyUser-IP",
		"WL-Proxy-Client-IP", "Proxy-Client-IP", "WL-Proxy-SSL", "X-Azure-ClientIP", "X-Azure-SocketIP", "X-Appengine-User-IP",
		"X-Appengine-Country", "X-Sucuri-ClientIP", "Incap-Client-IP", "DO-Connecting-IP", "X-NF-Client-Connection-IP", "Ali-CDN-Real-IP",
		"CloudFront-Viewer-Address", "CloudFront-Forwarded-Proto", "X-Vercel-Forwarded-For", "X-Envoy-External-Address", "X-Envoy-Internal",
		"X-Original-Forwarded-For", "X-Original-For", "X-Original-Host", "X-Original-Proto", "X-Original-Remote-Addr", "X-Original-Anything",
		"Via", "X-BlueCoat-Via", "X-Edge-Proto", "X-Request-Scheme", "X-Port", "X-Peer-IP", "X-Host", "X-HTTP-Host-Override", "X-Scheme", "X-Url-Scheme", "Front-End-Https", "X-ARR-SSL", "X-ARR-ClientCert",
		"Client-Cert", "Client-Cert-Chain", "X-Client-Cert", "X-SSL-Client-Cert", "SSL-Client-Verify", "X-Client-Port", "X-TLS-Version",
		"X-Amzn-Mtls-Clientcert", "X-Amzn-Oidc-Identity", "X-Goog-Iap-Jwt-Assertion", "X-Goog-Authenticated-User-Email",
		"X-MS-Client-Principal-Name", "X-Auth-Request-User",
		"X-Forwardedfor", "XForwardedFor", "XForwardedHost", "XRealIP", "X-Proxied-For", "X-Vercel-Proxied-For", "X-Ip-Client", "Ip-Client",
		"X-Client-Ip-Address", "X-Ip", "X-Coming-From", "Coming-From", "X-Came-From", "True-Client", "True-Client-Port", "X-Http-Host",
		"X-Orig-Host", "X-Orig-Scheme", "X-Backend-Host", "X-Public-Host", "X-Upstream-Hostname", "X-Edge-Port", "X-Trusted-User", "X-User",
		"X-User-Id", "User-Email", "X-Username", "X-Auth-Username", "X-Auth-Email", "X-Email", "Webauth-User", "Sm-User", "Iv-Groups",
		"Impersonate-Group", "Tailscale-User-Login", "X-Pomerium-Claim-Email", "X-Authenticated-Userid", "X-Auth-Request-Groups",
		"X-Ssl-Client-S-Dn", "X-Peer-Cert", "X-Mtls-Certificate-Sha1",
	} {
		for _, spelling := range spellings(name) {
			name := http.CanonicalHeaderKey(spelling)
			if got := headerKindOf(name); got != forwarding {
				t.Errorf("%s: kind %d", name, got)
			}
		}
	}
	// The proxy replaces these, but only in this spelling.
	for _, name := range []string{"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"} {
		for _, spelling := range spellings(name)[1:] {
			if got := headerKindOf(http.CanonicalHeaderKey(spelling)); got != forwarding {
				t.Errorf("%s: kind %d", spelling, got)
			}
		}
		if got := headerKindOf(name); got != harmless {
			t.Errorf("%s: kind %d", name, got)
		}
	}
}

func TestHarmlessHeaders(t *testing.T) {
	for _, name := range []string{
		"Accept", "Authorization", "Content-Type", "Content-Range", "Early-Data", "Expect", "If-Match", "Origin", "Range", "Referer", "Te",
		"Traceparent", "Tracestate", "Baggage", "Max-Forwards", "User-Agent", "X-Request-Id", "X-Requested-With", "X-Correlation-Id",
		"X-Csrf-Token", "X-B3-Traceid", "X-Amzn-Trace-Id", "X-Amz-Date", "X-Goog-Request-Params", "X-Ms-Client-Request-Id", "X-Ms-Version",
		"X-Databricks-Org-Id", "X-Databricks-Azure-Workspace-Context", "X-Databricks-Queue-Timeout", "X-Client-Version", "X-Client-Info",
		"Sec-Websocket-Protocol", "Sec-Fetch-Mode", "Grpc-Timeout", "Client-Name", "From", "X-User-Agent", "X-Goog-User-Project",
		"X-Databricks-User", "X-Databricks-Host", "X-Databricks-Session-Id", "X-Databricks-Cluster-Id", "X-Databricks-Workspace-Host", "X-Amz-User-Agent",
		"X-Amz-Security-Token", "X-Ms-Blob-Type", "X-Zip", "Description", "X-Spark-Session",
	} {
		if got := headerKindOf(http.CanonicalHeaderKey(name)); got != harmless {
			t.Errorf("%s: kind %d", name, got)
		}
	}
}

// TestTrustedHeaders: what a trusted proxy sets stays, in its own spelling.
func TestTrustedHeaders(t *testing.T) {
	trusted := func(*http.Request) []string { return []string{"x-real-ip", "Cookie"} }
	header := func() http.Header {
		return http.Header{"X-Real-Ip": {"1"}, "X~real~ip": {"2"}, "Forwarded": {"3"}, "Cookie": {"4"}, "X-Forwarded-For": {"5"}, "Accept": {"6"}}
	}
	r := &http.Request{URL: new(url.URL), Header: header()}
	if got := new(Judgement).DropHeaders(r, trusted); !slices.Equal(got, []string{"Cookie", "Forwarded", "X~real~ip"}) || r.Header["X-Real-Ip"] == nil || len(r.Header) != 3 {
		t.Errorf("dropped %q, left %v", got, r.Header)
	}
	r = &http.Request{Header: header()}
	if got := DropForwarding(r, trusted); !slices.Equal(got, []string{"Cookie", "Forwarded", "X~real~ip"}) || len(r.Header) != 4 {
		t.Errorf("took %q, left %v", got, r.Header)
	}
}

// TestDropToken: a personal access token leaves only where it was judged, and never for OAuth
// endpoints and discovery documents. Where refusals are only recorded, it leaves for all
// others.
func TestDropToken(t *testing.T) {
	pat := "Bearer dapi" + strings.Repeat("0123456789abcdef", 2)
	for _, tt := range []struct {
		name, path, value string
		decision          Decision
		dropped, observed bool
	}{
		{"judged", "/api/2.2/jobs/list", pat, Allow, false, false},
		{"OAuth endpoint", "/oidc/v1/token", pat, Public, true, true},
		{"discovery", "/.well-known/databricks-config", pat, Public, true, true},
		{"no row of a public route", "/.well-known/foo", pat, Allow, true, true},
		{"its prefix alone", "/oidc", pat, Allow, true, true},
		{"capitals", "/OIDC/v1/token", pat, Allow, true, true},
		{"an operator's row", "/api/2.0/open", pat, Public, true, false},
		{"an operator's row that needs a token", "/oidc/v1/token", pat, Allow, true, true},
		{"refused", "//oidc//v1/token", pat, Deny, true, true},
		{"a path that leads elsewhere", "/oidc/../api/2.2/jobs/list", pat, Deny, false, false},
		{"a client's secret", "/oidc/v1/token", "Basic YTpi", Public, false, false},
		{"an OAuth token", "/oidc/v1/userinfo", "Bearer eyJ.eyJ.c2ln", Public, false, false},
	} {
		j := &Judgement{Decision: tt.decision}
		for _, drop := range []struct {
			name string
			by   func(*http.Request, Voucher) []string
			want bool
		}{{"enforce", j.DropHeaders, tt.dropped}, {"observe", j.DropObserved, tt.observed}} {
			for _, header := range []string{"Authorization", "Api-Key", "X-Auth-Token", "X-Databricks-Token", "Private-Token", "X-Anything"} {
				r := &http.Request{URL: &url.URL{Path: tt.path}, Header: http.Header{header: {tt.value}, "Accept": {"*/*"}}}
				listed := slices.Contains(drop.by(r, nil), header)
				if gone := r.Header[header] == nil; gone != drop.want || listed != drop.want || r.Header["Accept"] == nil {
					t.Errorf("%s, %s, %s: gone %t, listed %t", tt.name, drop.name, header, gone, listed)
				}
			}
		}
	}
}

// TestForwardingTrailers: trailers that say where a request came from go, also those that
// were not announced. Others stay.
func TestForwardingTrailers(t *testing.T) {
	r := &http.Request{Header: http.Header{}, Trailer: http.Header{"X-Sum": nil, "X-Real-Ip": nil, "X-Forwarded-For": nil}}
	r.Body = io.NopCloser(reader(func([]byte) (int, error) {
		for _, name := range []string{"X-Sum", "X-Real-Ip", "X-Forwarded-For", "Forwarded", "Cookie"} {
			r.Trailer.Set(name, "1")
		}
		return 0, io.EOF
	}))
	if got := DropForwarding(r, nil); !slices.Equal(got, []string{"X-Forwarded-For", "X-Real-Ip", "X-Sum"}) || len(r.Trailer) != 1 {
		t.Errorf("found %q, left %v", got, r.Trailer)
	}
	if _, err := io.ReadAll(r.Body); err != nil || len(r.Trailer) != 2 || r.Trailer.Get("X-Sum") == "" || r.Trailer.Get("Cookie") == "" {
		t.Errorf("left %v, %v", r.Trailer, err)
	}
}

type reader func([]byte) (int, error)

func (read reader) Read(to []byte) (int, error) { return read(to) }

// FuzzHeaderKinds: names that a server could take for one another are of one kind. The
// exceptions are the credential and what the proxy replaces, which only their own
// spelling may name.
func FuzzHeaderKinds(f *testing.F) {
	for _, name := range []string{"X-Real-Ip", "x_forwarded.for", "Cookie_", "", "-", "X-", "~", "Http-X-Via", "Authorization", "X-Databricks-Org-Id", "Ms-Client-Principal"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		canonical := http.CanonicalHeaderKey(name)
		folded := fold(canonical)
		if again := fold(folded); again != folded {
			t.Fatalf("%q folds to %q, then to %q", canonical, folded, again)
		}
		got, want := headerKindOf(canonical), headerKindOf(folded)
		if got == harmless && want != harmless {
			t.Errorf("%q is harmless, %q is not", canonical, folded)
		}
		if want == harmless && got != harmless && !byProxy(folded) && !ordinary(folded) {
			t.Errorf("%q is harmless, %q is not", folded, canonical)
		}
	})
}
