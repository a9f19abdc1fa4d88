package preflight

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"strings"

	"github.com/scopegate/scopegate/internal/tokens"
)

const checkListen = "listen"

// listens checks that the addresses are free, or says who has them.
func (c *checks) listens(ctx context.Context, all []Listen) {
	running := false
	type unknown struct {
		Listen
		why error
	}
	var later []unknown
	for _, l := range all {
		switch taken, err := l.Free(); {
		case err == nil:
			c.ok(checkListen, l.Address, "free for the "+l.Name)
		case taken && !l.Admin && c.isGateway(ctx, l):
			running = true
			c.warn(checkListen, l.Address, "a scopegate gateway already runs there, as the "+l.Name, afterInstallation)
		case taken:
			later = append(later, unknown{l, err})
		default:
			c.fail(checkListen, l.Address, "for the "+l.Name+": "+err.Error(), "")
		}
	}
	// The admin API is not asked, and a gateway that only observes does not show itself. Where
	// one of the other addresses has a gateway, these are most likely its own.
	for _, l := range later {
		if running {
			c.warn(checkListen, l.Address, "taken as the "+l.Name+", most likely by the scopegate gateway that already runs", afterInstallation)
		} else {
			c.fail(checkListen, l.Address, "for the "+l.Name+": "+l.why.Error(), unseen)
		}
	}
}

const unseen = "a gateway that runs with mode observe and without a health listener is not recognized here"

const afterInstallation = "after the installation that is as it should be; stop it before you start another one on this address"

// isGateway asks whoever listens on an address, without a credential: a gateway refuses that
// in its own words, and its health listener answers.
func (c *checks) isGateway(ctx context.Context, l Listen) bool {
	ctx, cancel := context.WithTimeout(ctx, c.options.Timeout)
	defer cancel()
	if _, err := (Probe{Network: l.Network, Address: l.Address, Live: true}).Ask(ctx); err == nil {
		return true
	}
	for _, scheme := range []string{"http", "https"} {
		header, err := askGateway(ctx, scheme+"://"+hostOf(l), func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, l.Network, l.Address)
		})
		if err == nil && refuses(header) {
			return true
		}
	}
	return false
}

func hostOf(l Listen) string {
	if l.Network == "unix" {
		return "localhost"
	}
	host, port, err := net.SplitHostPort(l.Address)
	if err != nil || host != "" {
		return l.Address
	}
	return net.JoinHostPort("localhost", port)
}

// askedPath is one that a gateway judges: it refuses the request for the lack of a credential.
const askedPath = "/api/2.0/clusters/list"

// askGateway makes a request without a credential. No certificate is verified, because nothing
// is told to the other end.
func askGateway(ctx context.Context, url string, dial func(ctx context.Context, network, address string) (net.Conn, error)) (http.Header, error) {
	client := &http.Client{
		Transport: &http.Transport{
			DialContext:       dial,
			DisableKeepAlives: true,
			TLSClientConfig:   &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // see above
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(url, "/")+askedPath, nil)
	if err != nil {
		return nil, err
	}
	answer, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	return answer.Header, answer.Body.Close()
}

func refuses(header http.Header) bool { return header.Get(tokens.GatewayHeader) != "" }
