package authcheck

import (
	"net/http"
	"strings"
)

// Dialect is how proxies describe over HTTP what they ask about.
type Dialect string

const (
	// Recognized is Nginx or Forwarded, whichever the headers of a check are of, and only for
	// checks to [Path]: there, neither is mistaken for a request that is itself the question.
	Recognized Dialect = "recognized"
	// Nginx is that of auth_request with the headers X-Original-Method and X-Original-URI.
	Nginx Dialect = "nginx"
	// Forwarded is that of Traefik's ForwardAuth and Caddy's forward_auth, with the headers
	// X-Forwarded-Method and X-Forwarded-Uri.
	Forwarded Dialect = "forwarded"
	// Envoy is that of ext_authz over HTTP: the check is the request itself, without its body
	// and with a prefix before its path.
	Envoy Dialect = "envoy"
)

// Dialects are all of them. The first is the default.
func Dialects() []string {
	return []string{string(Recognized), string(Nginx), string(Forwarded), string(Envoy)}
}

// Path is where proxies ask, unless they ask in the dialect of Envoy.
const Path = "/decide"

// Names of the headers that describe a request, in canonical form.
const (
	originalMethod  = "X-Original-Method"
	originalURI     = "X-Original-Uri"
	forwardedMethod = "X-Forwarded-Method"
	forwardedURI    = "X-Forwarded-Uri"
	forwardedHost   = "X-Forwarded-Host"
	forwardedProto  = "X-Forwarded-Proto"
	forwardedFor    = "X-Forwarded-For"
	forwardedPort   = "X-Forwarded-Port"
	forwardedServer = "X-Forwarded-Server"
	realIP          = "X-Real-Ip"
	via             = "Via"
)

// words are the headers of a dialect: those that describe the request, and those that tell
// more about it, which the proxy adds too: what it says itself is nothing that it forgot to
// remove.
type words struct {
	method, uri string
	more        []string
}

var dialects = map[Dialect]words{
	Nginx:     {originalMethod, originalURI, []string{realIP}},
	Forwarded: {forwardedMethod, forwardedURI, []string{forwardedFor, realIP, forwardedHost, forwardedProto, forwardedPort, forwardedServer, via}},
}

// recognize returns the dialect of a check, or what is wrong with it.
func recognize(check *http.Request) (Dialect, *Problem) {
	// Caddy appends the query of the request that it asks about.
	if path, _, _ := strings.Cut(check.RequestURI, "?"); path != Path {
		return "", Misconfigured("a proxy asks at another path than " + Path + ", so the dialect must be set: dialect nginx, forwarded or envoy")
	}
	has := func(d Dialect) bool {
		return check.Header[dialects[d].method] != nil || check.Header[dialects[d].uri] != nil
	}
	switch {
	case has(Nginx) && has(Forwarded):
		return "", Ambiguous("X-Original-… and X-Forwarded-… headers both describe the request")
	case has(Forwarded):
		return Forwarded, nil
	}
	return Nginx, nil // or nothing, which is refused as that
}
