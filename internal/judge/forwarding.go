package judge

import (
	"io"
	"maps"
	"net/http"
	"strings"
)

// A forwarding header says on whose behalf a request is made or how it came: the client's
// address, the scheme, host or port that it used, its certificate, the user behind it. Proxies
// add them, and logs, allow lists of addresses and workspaces believe them. No Databricks
// client sends any, so from a client they can only be a forgery or a leftover.
//
// New ones keep appearing, so most are recognized by a part of their names.

// forwardingPrefixes are what some proxies and load balancers say of certificates and of users
// that they have signed in, without X-.
var forwardingPrefixes = []string{
	"Amzn-Mtls-", "Amzn-Oidc-", "Auth-Request-", "Goog-Authenticated-", "Goog-Iap-", "Ms-Client-Principal",
	"Client-Cert", "Client-Dn", "Client-Host", "Client-Port", "Client-Proto", "Client-Scheme", "Client-Verify",
}

// forwards reports whether a name is that of a forwarding header. It must be in canonical
// form, with hyphens only.
func forwards(name string) bool {
	name = strings.TrimPrefix(name, "Http-") // HTTP_X_REAL_IP, as CGI calls it
	name = strings.TrimPrefix(name, "X-")
	first, rest, more := strings.Cut(name, "-")
	for _, glued := range []string{"Xforward", "Xreal", "Xremote", "Xclient", "Xoriginal", "Xproxied"} {
		if strings.HasPrefix(first, glued) {
			return true
		}
	}
	own := false // of clients of Databricks and of clouds, which have names of all kinds
	switch first {
	case "Forwarded", "Forward", "Forwarder", "Real", "Remote", "Orig", "Original", "Originating", "True", "Coming", // of anything
		"Ssl", "Tls", "Proxyuser", // what a proxy says of a connection
		"Impersonate", "Authenticated", "Webauth", "Iv", "Sm", "Tailscale", "Pomerium", // or of a user
		"Appengine", "Arr", "Azure", "Cf", "Cloudfront", "Envoy", "Fastly": // reserved by proxies
		return true
	case "Amzn", "Auth", "Client", "Goog", "Ms":
		for _, prefix := range forwardingPrefixes {
			if strings.HasPrefix(name, prefix) {
				return true
			}
		}
		own = first == "Goog" || first == "Ms"
	case "Amz", "Databricks":
		own = true
	case "User":
		return !strings.HasPrefix(rest, "Agent")
	}
	switch name {
	case "Host", "Host-Override", "Http-Host-Override", "Port", "Protocol", "Https", "Server-Name", "Server-Port",
		"Front-End-Https", "Proxy-Ssl", "Wl-Proxy-Ssl", "Username", "Userid", "Email", "Groups", "Roles":
		return true
	}
	last := name[strings.LastIndexByte(name, '-')+1:]
	switch last {
	case "Ip", "Ips", "Ipv4", "Ipv6", "Addr", "Address", "Clientip", "Realip", "Remoteip", "Socketip", "Userip",
		"Proto", "Scheme", "Via":
		return true
	case "For", "From", "Host", "Hostname", "Port", "Username", "Userid", "Email":
		if more && !own {
			return true
		}
	}
	for part := range strings.SplitSeq(name, "-") {
		switch {
		case strings.HasPrefix(part, "Forwarded"), part == "Clientip", part == "Clientcert":
			return true
		case own:
		case part == "Ip", part == "User", part == "Cert", part == "Certificate":
			return true
		}
	}
	return false
}

// byProxy reports whether Caddy's reverse_proxy sets a header itself, and takes what trusted
// proxies say in it into account.
func byProxy(name string) bool {
	switch name {
	case "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto":
		return true
	}
	return false
}

// Voucher returns the names of the headers that a request's sender is trusted to set,
// because it is a proxy of the operator's.
type Voucher func(*http.Request) []string

// DropForwarding takes out of a request what only the gateway may say: forwarding headers, in
// any spelling, but those that the sender is trusted to set and those that the proxy replaces.
// It is for requests that pass whatever the judgement, and returns the names of what it took
// and of what [Judgement.DropHeaders] would take.
func DropForwarding(r *http.Request, trusted Voucher) []string {
	found := suspicious(r, trusted)
	for _, name := range found {
		if forwards(fold(name)) && !byProxy(name) { // conflicting ones such as X-Forwarded-Uri too
			delete(r.Header, name)
		}
	}
	if len(r.Trailer) > 0 && r.Body != nil {
		t := &trailers{r.Body, r.Trailer}
		t.drop()
		r.Body = t
	}
	return found
}

// trailers is a body whose trailers are no forwarding headers, which arrive when it ends.
type trailers struct {
	io.ReadCloser
	header http.Header
}

func (t *trailers) Read(to []byte) (int, error) {
	n, err := t.ReadCloser.Read(to)
	if err == io.EOF { // net/http has just added them, announced or not
		t.drop()
	}
	return n, err
}

func (t *trailers) drop() {
	maps.DeleteFunc(t.header, func(name string, _ []string) bool { return forwards(fold(name)) })
}
