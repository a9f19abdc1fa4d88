package preflight

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"syscall"
	"time"
)

// reached says how a URL answered.
type reached struct {
	status  int
	header  http.Header
	proxy   string // host:port of the proxy that was used; empty for none
	dialed  string // address of the other end; set if only TCP worked, too
	dns     time.Duration
	tcp     time.Duration
	tls     time.Duration
	skew    time.Duration // of the server's clock against this one
	hasDate bool
}

// took says how long the steps took.
func (r *reached) took() string {
	var steps []string
	for _, step := range []struct {
		name string
		took time.Duration
	}{{"DNS", r.dns}, {"TCP", r.tcp}, {"TLS", r.tls}} {
		if step.took > 0 {
			steps = append(steps, step.name+" "+max(step.took.Round(time.Millisecond), time.Millisecond).String())
		}
	}
	return strings.Join(steps, ", ")
}

// proxyFunc chooses a proxy, as [http.Transport] has it; nil means none.
type proxyFunc func(*http.Request) (*url.URL, error)

// reach asks a URL for its root, without a credential. Any answer will do.
func reach(ctx context.Context, target string, timeout time.Duration, proxy proxyFunc) (reached, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var r reached
	request, err := http.NewRequestWithContext(r.trace(ctx), http.MethodGet, strings.TrimSuffix(target, "/")+"/", nil)
	if err != nil {
		return r, err
	}
	request.URL.RawQuery = ""
	if proxy != nil {
		if through, err := proxy(request); err == nil && through != nil {
			r.proxy = through.Host
		}
	}
	transport := &http.Transport{Proxy: proxy, DisableKeepAlives: true, ForceAttemptHTTP2: true}
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	asked := time.Now()
	answer, err := client.Do(request)
	if err != nil {
		if inner, ok := errors.AsType[*url.Error](err); ok {
			err = inner.Err
		}
		return r, err
	}
	defer answer.Body.Close()
	r.status, r.header = answer.StatusCode, answer.Header
	if date, err := http.ParseTime(answer.Header.Get("Date")); err == nil {
		// It is cut to the second, and was made between question and answer.
		r.skew, r.hasDate = date.Add(500*time.Millisecond).Sub(asked.Add(time.Since(asked)/2)), true
	}
	return r, nil
}

// trace notes when the steps of a connection begin and end. Of several addresses the last
// counts.
func (r *reached) trace(ctx context.Context) context.Context {
	var dns, tcp, handshake time.Time
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		DNSStart:     func(httptrace.DNSStartInfo) { dns = time.Now() },
		DNSDone:      func(httptrace.DNSDoneInfo) { r.dns = time.Since(dns) },
		ConnectStart: func(string, string) { tcp = time.Now() },
		ConnectDone: func(_, address string, err error) {
			if err == nil {
				r.tcp, r.dialed = time.Since(tcp), address
			}
		},
		TLSHandshakeStart: func() { handshake = time.Now() },
		TLSHandshakeDone:  func(tls.ConnectionState, error) { r.tls = time.Since(handshake) },
	})
}

// explain says why nothing answered, and what to do.
func (r *reached) explain(err error, what string) (detail, advice string) {
	through := ""
	if r.proxy != "" {
		through = " through the proxy " + r.proxy
	}
	dns, isDNS := errors.AsType[*net.DNSError](err)
	_, isAuthority := errors.AsType[x509.UnknownAuthorityError](err)
	hostname, isName := errors.AsType[x509.HostnameError](err)
	_, isRecord := errors.AsType[tls.RecordHeaderError](err)
	switch {
	case isDNS:
		return fmt.Sprintf("the host name %s was not found", dns.Name), "check its spelling, and the name servers of this machine"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nothing accepts connections" + through, "check the port, and that " + what + " is up"
	case isAuthority:
		return "its certificate is from an authority that this machine does not trust" + through, "install the authority's root certificate, also that of a proxy that inspects TLS, or name it in SSL_CERT_FILE"
	case isName:
		return hostname.Error() + through, "use a name that the certificate has"
	case isRecord:
		return "it does not speak TLS" + through, "check the scheme and the port of its URL"
	case errors.Is(err, context.DeadlineExceeded), isTimeout(err):
		return "no answer in time" + through, "check that a firewall lets this machine out, or set HTTPS_PROXY for the gateway"
	}
	return err.Error() + through, "check its URL and the network"
}

func isTimeout(err error) bool {
	timeout, ok := errors.AsType[net.Error](err)
	return ok && timeout.Timeout()
}
