package authority

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/scopegate/scopegate/internal/fleet/wire"
	"github.com/scopegate/scopegate/internal/sanitize"
)

const (
	// maxCredential bounds what is looked at as a credential, in bytes.
	maxCredential = 8 << 10
	// maxName bounds the name of an edge, in bytes.
	maxName = 128
	// maxVersion bounds the version of an edge, in bytes.
	maxVersion = 64
)

// Access says who may ask. Whoever satisfies one of its ways may; without any, nobody may.
type Access struct {
	// Tokens returns the tokens that edges may share, of at least [MinSharedToken]
	// characters. It is called by [New], and every few seconds while edges ask. nil for none.
	Tokens func() ([]string, error)
	// Certificates lets in whoever has a client certificate that was verified. nil for
	// nobody.
	Certificates *Certificates
	// Kubernetes lets in service accounts. nil for none.
	Kubernetes *Kubernetes
}

// Validate says what is wrong with the configuration.
func (a *Access) Validate() error {
	if a.Tokens == nil && a.Certificates == nil && a.Kubernetes == nil {
		return errors.New("nobody could ask: set token, client_certificate or kubernetes")
	}
	if a.Kubernetes != nil {
		return a.Kubernetes.validate()
	}
	return nil
}

// identity is who sends a request.
type identity struct {
	// key tells identities apart, name is for people.
	key, name string
	// address is where an edge comes from that is known only by a name of its own choice;
	// empty for a verified identity.
	address string
	// until is when the credential ends, zero for a shared token, which ends when its hash is
	// not among those accepted any more.
	until time.Time
	hash  [sha256.Size]byte
}

// access verifies credentials.
type access struct {
	shared       *sharedTokens
	certificates *Certificates
	kubernetes   *serviceAccounts
	now          func() time.Time
}

func newAccess(a Access, now func() time.Time) *access {
	verified := &access{certificates: a.Certificates, now: now}
	if a.Tokens != nil {
		verified.shared = &sharedTokens{read: a.Tokens, now: now}
		verified.shared.current() // so that there is something before the first request
	}
	if a.Kubernetes != nil {
		verified.kubernetes = newServiceAccounts(*a.Kubernetes, now)
	}
	return verified
}

func (a *access) close() {
	if a.kubernetes != nil {
		a.kubernetes.close()
	}
}

// errForbidden refuses an identity that is verified and not let in.
var errForbidden = refuse(http.StatusForbidden, wire.ForbiddenCode, "this identity is not let in here; add it to databricks_authority")

// identify returns who sends a request. The ways are tried in order of cost.
func (a *access) identify(ctx context.Context, r *http.Request) (*identity, *problem) {
	refused := errUnauthorized
	if a.certificates != nil {
		switch found, verified := a.certificates.identify(r.TLS, a.now()); {
		case found != nil:
			return found, nil
		case verified:
			refused = errForbidden
		}
	}
	credential, ok := bearer(r.Header)
	if !ok {
		return nil, refused
	}
	hash := sha256.Sum256([]byte(credential))
	if a.shared != nil && a.shared.accepts(hash) {
		return selfNamed(r, hash), nil
	}
	if a.kubernetes == nil {
		return nil, refused
	}
	switch found, err := a.kubernetes.identify(ctx, credential, hash); {
	case err == nil:
		return found, nil
	case errors.Is(err, errAccount):
		return nil, errForbidden
	case errors.Is(err, errNoKeys):
		return nil, unavailable("the keys of service account tokens cannot be read now")
	}
	return nil, refused
}

// still reports whether the credential that a stream began with is still good.
func (a *access) still(who *identity) bool {
	if who.until.IsZero() {
		return a.shared != nil && a.shared.accepts(who.hash)
	}
	return a.now().Before(who.until)
}

// bearer returns the one bearer token of a request.
func bearer(header http.Header) (credential string, ok bool) {
	values := header["Authorization"]
	if len(values) != 1 || len(values[0]) > maxCredential {
		return "", false
	}
	scheme, credential, found := strings.Cut(values[0], " ")
	if !found || !strings.EqualFold(scheme, "bearer") || credential == "" || strings.ContainsAny(credential, " \t,") {
		return "", false
	}
	return credential, true
}

// selfNamed returns the identity of an edge that shares a token with others. Its name is its
// own choice, so it counts only together with where it comes from.
func selfNamed(r *http.Request, hash [sha256.Size]byte) *identity {
	address := network(r.RemoteAddr)
	name := shown(header(r.Header, wire.NameHeader), maxName)
	if name == "" {
		name = address
	}
	return &identity{key: "token\x00" + address + "\x00" + name, name: name, address: address, hash: hash}
}

// network returns where a request comes from: an IPv4 address, or the /64 of IPv6 that one
// machine can choose its addresses from.
func network(remote string) string {
	peer, err := netip.ParseAddrPort(remote)
	if err != nil {
		return "unknown"
	}
	address := peer.Addr().Unmap().WithZone("")
	if address.Is4() || address.IsLoopback() {
		return address.String()
	}
	prefix, err := address.Prefix(64)
	if err != nil {
		return "unknown"
	}
	return prefix.String()
}

// isLoopback reports whether a peer is on this machine.
func isLoopback(remote string) bool {
	peer, err := netip.ParseAddrPort(remote)
	return err == nil && peer.Addr().Unmap().IsLoopback()
}

// header returns the one value of a header, empty for none or several.
func header(header http.Header, name string) string {
	if values := header[http.CanonicalHeaderKey(name)]; len(values) == 1 {
		return values[0]
	}
	return ""
}

// shown returns what an edge says of itself in a form that is safe to show.
func shown(text string, limit int) string {
	return strings.Clone(strings.TrimSpace(sanitize.String(text, limit)))
}

// secureURL reports whether credentials and keys may travel to a URL.
func secureURL(address string) error {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Host == "" || u.User != nil:
		return errors.New("it is no URL of a server, without credentials in it")
	case u.Scheme == "https", u.Scheme == "http" && localHost(u.Hostname()):
		return nil
	}
	return fmt.Errorf("it must begin with https://")
}

func localHost(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && address.Unmap().IsLoopback()
}
