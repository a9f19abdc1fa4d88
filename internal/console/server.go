package console

import (
	"html/template"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
)

// server answers requests for the pages.
type server struct {
	Source
	options Options
	sets    map[string]*template.Template
	reports reports
	streams atomic.Int64  // browsers that follow
	turns   chan struct{} // one for each answer that is being made, see inTurn
}

// routes leads requests to pages.
func (s *server) routes() http.Handler {
	mux := http.NewServeMux()
	for i := range pages {
		p := &pages[i]
		show := func(w http.ResponseWriter, r *http.Request) { s.show(w, r, p) }
		if p.all {
			show = s.inTurn(show)
		}
		mux.HandleFunc("GET "+p.pattern, show)
	}
	mux.HandleFunc("GET "+assetPrefix+"{hash}/{name...}", serveAsset)
	mux.HandleFunc("GET /tokens.csv", s.inTurn(s.tokensCSV))
	mux.HandleFunc("GET /tokens/{id}/native/{form}", s.inTurn(s.nativeFile))
	mux.HandleFunc("GET "+streamPath, s.stream)
	mux.HandleFunc("POST "+acknowledgePath, s.acknowledge)
	if s.options.Actions != nil {
		mux.HandleFunc("GET /tokens/{id}/{verb}", s.confirm)
		mux.HandleFunc("POST /tokens/{id}/{verb}", s.startSignIn)
		mux.HandleFunc("GET "+callbackPath, s.signedIn)
		mux.HandleFunc("POST "+callbackPath, s.signedIn)
	}
	mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
		s.showError(w, r, errorf(http.StatusNotFound, "there is no such page"))
	})
	return mux
}

// policy forbids whatever does not come from here.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// protect refuses requests that other sites make a browser send, and sets headers.
func (s *server) protect(next http.Handler) http.Handler {
	crossOrigin := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		set := w.Header().Set
		set("Content-Security-Policy", policy)
		set("X-Content-Type-Options", "nosniff")
		set("Referrer-Policy", "no-referrer")
		set("Cross-Origin-Opener-Policy", "same-origin")
		set("Cross-Origin-Resource-Policy", "same-origin")
		set("Cache-Control", "no-store")
		switch {
		case !s.serves(r.Host):
			// The name of another site that was made to lead here (DNS rebinding).
			http.Error(w, "421: this page is not for the host that the request names", http.StatusMisdirectedRequest)
		case fromElsewhere(r):
			http.Error(w, "403: another site made the browser send this request", http.StatusForbidden)
		case r.Method != http.MethodGet && r.Method != http.MethodHead && (crossOrigin.Check(r) != nil || r.Header.Get("Sec-Fetch-Site") != "same-origin"):
			http.Error(w, "403: only pages of this site may change something", http.StatusForbidden)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// fromElsewhere reports whether a browser sends a request for a page of another site. A link
// on another site may lead here.
func fromElsewhere(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "none", "same-origin": // not a browser, its user, or a page of ours
		return false
	}
	isLink := r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Dest") == "document"
	return !isLink || r.Method != http.MethodGet
}

// serves reports whether the site may be asked for by a Host header. The port does not matter:
// a tunnel may have another.
func (s *server) serves(host string) bool {
	host = hostname(host)
	if s.options.Loopback && isLoopback(host) {
		return true
	}
	for _, pattern := range s.options.Hosts {
		pattern = strings.ToLower(strings.Trim(pattern, "[]"))
		suffix, wild := strings.CutPrefix(pattern, "*.")
		label, rest, _ := strings.Cut(host, ".")
		if pattern == host || wild && label != "" && rest == suffix {
			return host != ""
		}
	}
	return false
}

// hostname returns the name in a Host header, in lower case and without a port.
func hostname(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.TrimSuffix(strings.ToLower(strings.Trim(host, "[]")), ".")
}

// isLoopback reports whether a host is this machine, by any of its usual names.
func isLoopback(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && address.Unmap().IsLoopback()
}
