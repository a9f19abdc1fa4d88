package authority

import (
	"cmp"
	"net/http"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/scopegate/scopegate/internal/fleet/wire"
)

const (
	// refusalPause is the time between two lines about refusals with the same reason: anybody
	// can cause them.
	refusalPause = time.Minute
	// maxNames bounds the names of a certificate in a line, in bytes.
	maxNames = 4 * maxName
)

// logged are the codes of refusals that an operator should know of. Others are mistakes in an
// edge's requests, or are told of otherwise.
var logged = map[string]bool{
	wire.UnauthorizedCode: true, wire.ForbiddenCode: true, wire.InsecureCode: true, wire.WorkspaceCode: true, wire.RateCode: true,
}

// subscribersReason is why there is no stream for an edge. Its code has other meanings.
const subscribersReason = "subscribers"

// refusalCounts are how many edges were refused since the last line, by reason. The zero value
// is ready to use.
type refusalCounts struct {
	mu      sync.Mutex
	reasons map[string]*refusalCount
}

type refusalCount struct {
	n  int
	at time.Time // of the last line
}

// count counts a refusal. It returns how many there were if a line is due, else 0.
func (c *refusalCounts) count(reason string, now time.Time) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	counted := c.reasons[reason]
	if counted == nil {
		if c.reasons == nil {
			c.reasons = map[string]*refusalCount{}
		}
		counted = &refusalCount{}
		c.reasons[reason] = counted
	}
	counted.n++
	if !counted.at.IsZero() && now.Sub(counted.at) < refusalPause {
		return 0
	}
	n := counted.n
	counted.n, counted.at = 0, now
	return n
}

// logRefusal tells the operator that an edge was refused.
func (s *Server) logRefusal(r *http.Request, p *problem) {
	reason := p.body.Code
	switch {
	case p == errSubscribers:
		reason = subscribersReason
	case !logged[reason]:
		return
	}
	n := s.refused.count(reason, s.options.Now())
	if n == 0 {
		return
	}
	fields := []zap.Field{
		zap.String("reason", reason), zap.Int("refused", n), zap.String("workspace", s.options.WorkspaceURL),
		zap.String("remote", r.RemoteAddr), zap.String("edge", callsItself(r)), zap.String("detail", s.detail(r, p)),
	}
	if names := certificateNames(r); names != "" {
		fields = append(fields, zap.String("certificate", names))
	}
	s.options.Logger().Warn("an edge was refused; there is at most one such line a minute for each reason", fields...)
}

// detail says what an operator can do about a refusal.
func (s *Server) detail(r *http.Request, p *problem) string {
	switch p.body.Code {
	case wire.UnauthorizedCode:
		if s.access.wantsCertificate(r) {
			return "there is no verified client certificate; client_certificate needs tls { client_auth { … } } in the site, with mode require_and_verify or verify_if_given"
		}
		return "the credential is missing, or none of those that are let in"
	case wire.WorkspaceCode:
		asked := cmp.Or(shown(wire.Workspace(header(r.Header, wire.WorkspaceHeader)), maxName), "no URL")
		return "the edge is for " + asked + "; " + p.body.Message
	}
	return p.body.Message
}

// wantsCertificate reports whether a certificate is what a request lacks: it has no verified one,
// and nothing else that could let it in.
func (a *access) wantsCertificate(r *http.Request) bool {
	if a.certificates == nil || r.TLS != nil && len(r.TLS.VerifiedChains) > 0 {
		return false
	}
	_, sent := bearer(r.Header)
	return !sent || a.shared == nil && a.kubernetes == nil
}

// callsItself returns the name that an edge chose, which may be anybody's. It returns none if a
// credential was put there by mistake.
func callsItself(r *http.Request) string {
	name := header(r.Header, wire.NameHeader)
	for _, value := range r.Header["Authorization"] {
		if _, credential, _ := strings.Cut(value, " "); credential != "" && strings.Contains(name, credential) {
			return ""
		}
	}
	return shown(name, maxName)
}

// certificateNames returns the names in a certificate that the server verified, empty without
// one.
func certificateNames(r *http.Request) string {
	if r.TLS == nil || len(r.TLS.VerifiedChains) == 0 || len(r.TLS.VerifiedChains[0]) == 0 {
		return ""
	}
	return shown(strings.Join(namesIn(r.TLS.VerifiedChains[0][0]), " "), maxNames)
}
