package judge

import (
	"maps"
	"net/http"
	"net/textproto"
	"slices"
	"strings"

	"github.com/scopegate/scopegate/internal/discovery"
	"github.com/scopegate/scopegate/internal/policy"
	"github.com/scopegate/scopegate/internal/tokens"
)

// conflictingHeaders are headers that must not leave beside a judged token: they
// carry another credential, or make some servers see another method or path
// than the judged one.
var conflictingHeaders = headerSet(
	// Credentials. The Azure and Google ones accompany an Entra ID or Google
	// bearer; beside a PAT they could only authenticate another identity.
	"Cookie",
	"Proxy-Authorization",
	"X-Databricks-Azure-SP-Management-Token",
	"X-Databricks-Azure-Workspace-Resource-Id",
	"X-Databricks-GCP-SA-Access-Token",
	"X-Forwarded-Access-Token",
	"X-Forwarded-Authorization",
	"X-Original-Authorization",
	"X-Api-Key",
	// Method overrides.
	"X-HTTP-Method-Override",
	"X-HTTP-Method",
	"X-HTTP-Verb-Override",
	"X-Method",
	"X-Method-Override",
	"X-Original-Method",
	"X-Forwarded-Method",
	"X-Envoy-Original-Method",
	// URL overrides.
	"X-Original-URL",
	"X-Original-URI",
	"X-Original-Path",
	"X-Request-URI",
	"Request-URI",
	"X-Rewrite-URL",
	"X-Rewrite-URI",
	"X-Rewritten-URL",
	"X-Replaced-Path",
	"X-Proxy-URL",
	"X-Forwarded-URL",
	"X-Override-URL",
	"X-Forwarded-URI",
	"X-Forwarded-Path",
	"X-Forwarded-Prefix",
	"X-Envoy-Original-Path",
	// An upgrade to cleartext HTTP/2 would open a tunnel past every check.
	"HTTP2-Settings",
)

// accompanyOAuth may be needed beside an OAuth token, in their own spelling only.
var accompanyOAuth = headerSet(
	"Cookie",
	"X-Databricks-Azure-SP-Management-Token",
	"X-Databricks-Azure-Workspace-Resource-Id",
	"X-Databricks-GCP-SA-Access-Token",
)

// ConflictingHeaders returns the canonical names of the headers that [Conflicts] knows, sorted,
// for proxies that can only remove headers by name.
func ConflictingHeaders() []string { return slices.Sorted(maps.Keys(conflictingHeaders)) }

func headerSet(names ...string) map[string]bool {
	set := make(map[string]bool, len(names))
	for _, name := range names {
		set[textproto.CanonicalMIMEHeaderKey(name)] = true
	}
	return set
}

// DropHeaders takes out of a request that passes what must not leave beside the
// judged token, and forwarding headers as [DropForwarding] does. A personal access token
// leaves only where one is needed: never to OAuth endpoints and discovery documents, whatever
// the decision. It returns the names of what it took.
func (j *Judgement) DropHeaders(r *http.Request, trusted Voucher) []string {
	dropped := drop(r, trusted, j.Reason == policy.PassedOAuth)
	if _, ok := r.Header["Upgrade"]; ok && j.Decision == Public { // its answer may become a tunnel
		delete(r.Header, "Upgrade")
		dropped = append(dropped, "Upgrade")
	}
	if j.Decision == Public || discovery.Endpoint(r.URL.Path) {
		dropped = dropPAT(r, dropped)
	}
	return dropped
}

// DropObserved does what [DropForwarding] does, for a request that passes whatever the
// judgement, and takes a personal access token off a request to an OAuth endpoint or a
// discovery document: none is needed there, so the rehearsal stays true.
func (j *Judgement) DropObserved(r *http.Request, trusted Voucher) []string {
	dropped := DropForwarding(r, trusted)
	if discovery.Endpoint(r.URL.Path) {
		dropped = dropPAT(r, dropped)
	}
	return dropped
}

// drop takes out the conflicting and the forwarding headers.
//
// No trailer leaves. Trailers arrive after the decision, and an HTTP/1 client may
// send others than it announced: net/http puts them all into the map that it made
// for the announced ones, so deleting names from it now would not help. No
// Databricks client sends trailers.
func drop(r *http.Request, trusted Voucher, oauth bool) []string {
	found := suspicious(r, trusted)
	if oauth {
		found = slices.DeleteFunc(found, func(name string) bool { return accompanyOAuth[name] })
	}
	for _, name := range found {
		if headerKindOf(name) != harmless || name == "Upgrade" {
			delete(r.Header, name)
		}
	}
	r.Trailer = nil
	return found
}

// suspicious returns the names of the headers of a request that must not leave beside a
// judged token, and those of all announced trailers, sorted.
func suspicious(r *http.Request, trusted Voucher) []string {
	var found []string
	forwards := false
	for name := range r.Header {
		if kind := headerKindOf(name); kind != harmless {
			found = append(found, name)
			forwards = forwards || kind == forwarding
		}
	}
	if forwards && trusted != nil {
		if names := trusted(r); len(names) > 0 {
			found = slices.DeleteFunc(found, func(name string) bool {
				return headerKindOf(name) == forwarding && slices.ContainsFunc(names, func(trusted string) bool { return strings.EqualFold(trusted, name) })
			})
		}
	}
	if _, ok := r.Header["Upgrade"]; ok && !upgradesToWebSocket(r) {
		found = append(found, "Upgrade")
	}
	for name := range r.Trailer {
		found = append(found, name)
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// dropPAT takes out every header that holds a personal access token, and adds its name to
// those of others.
func dropPAT(r *http.Request, dropped []string) []string {
	for name, values := range r.Header {
		if tokens.CarriesPAT(values) {
			delete(r.Header, name)
			dropped = append(dropped, name)
		}
	}
	slices.Sort(dropped)
	return slices.Compact(dropped)
}

// WithoutCredential returns a copy of a refused request for error routes. A route that
// proxies must not pass on what was refused: the copy has no credential, no header that
// could stand for one or for another request, no query and no body.
func WithoutCredential(r *http.Request) *http.Request {
	clone := r.Clone(r.Context())
	drop(clone, nil, false)
	delete(clone.Header, "Authorization")
	delete(clone.Header, "Upgrade")
	clone.URL.RawQuery = ""
	clone.RequestURI = clone.URL.RequestURI()
	clone.Body, clone.ContentLength, clone.TransferEncoding = http.NoBody, 0, nil
	return clone
}

// headerKind is why a header may have to go.
type headerKind int

const (
	harmless headerKind = iota
	conflicting
	forwarding
)

// Conflicts reports whether a header, under any spelling, carries another credential or
// makes some servers see another request than the judged one.
func Conflicts(name string) bool { return headerKindOf(name) == conflicting }

// headerKindOf returns the kind of a header under any spelling: some servers fold underscores
// and dots into hyphens, so that Cookie_ or X_HTTP_Method would be taken for the real one.
func headerKindOf(name string) headerKind {
	if ordinary(name) || byProxy(name) {
		return harmless
	}
	folded := name
	if !usual(name) {
		folded = fold(name)
		if folded == "Authorization" || slices.Contains(routingHeaders, folded) {
			return conflicting
		}
	}
	switch {
	case conflictingHeaders[folded]:
		return conflicting
	case forwards(folded):
		return forwarding
	}
	return harmless
}

func fold(name string) string {
	return textproto.CanonicalMIMEHeaderKey(strings.Map(func(c rune) rune {
		if isUnusual(c) {
			return '-'
		}
		return c
	}, strings.TrimFunc(name, isUnusual)))
}

// ordinary reports whether a header is one of those that nearly every request
// has, which need no closer look. The compiler makes a few comparisons of it.
func ordinary(name string) bool {
	switch name {
	case "Accept", "Accept-Encoding", "Accept-Language", "Authorization", "Connection",
		"Content-Encoding", "Content-Length", "Content-Type", "Cache-Control", "Origin", "Pragma",
		"Referer", "Traceparent", "User-Agent", "X-Databricks-Org-Id", "X-Databricks-Workspace-Id":
		return true
	}
	return false
}

// usual reports whether a name needs no folding.
func usual(name string) bool {
	for i := range len(name) { // faster than strings.IndexFunc, for nearly every name
		if isUnusual(rune(name[i])) {
			return false
		}
	}
	return true
}

func isUnusual(c rune) bool {
	return c != '-' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z')
}

func upgradesToWebSocket(r *http.Request) bool {
	values := r.Header["Upgrade"]
	return len(values) == 1 && strings.EqualFold(strings.TrimSpace(values[0]), "websocket")
}
