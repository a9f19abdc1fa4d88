package caddymodule

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/caddyserver/caddy/v2"

	"github.com/scopegate/scopegate/internal/secretref"
)

// AdminAuthority makes the gateway an edge, which holds no admin credential: it asks gateways
// with the handler `databricks_authority` about tokens, one at a time and by their ids, hears
// from them what was changed, and enforces by itself.
type AdminAuthority struct {
	// URLs of the authorities, such as `https://authority.example.com:9443`: scheme, host and
	// port. One that does not answer is left for the next. `http://` is for this machine
	// only. Placeholders are supported.
	URLs []string `json:"urls,omitempty"`

	// Token that the authorities let in, as a placeholder: `{file./path}` or `{env.NAME}`.
	// It may also be the projected token of a Kubernetes service account. The file is read
	// again when it changes.
	Token string `json:"token,omitempty"`

	// Paths of PEM files with the client certificate that the authorities let in, and its
	// key. Files that are replaced are read again.
	ClientCertificate string `json:"client_certificate,omitempty"`
	ClientKey         string `json:"client_key,omitempty"`

	// Path of a PEM file with the certificate authorities that are trusted instead of the
	// system's.
	Trust string `json:"trust,omitempty"`

	// What this edge calls itself, for `scopegate scopes fleet`; at most 128 bytes. A
	// client certificate and a service account tell its name better, and win. Placeholders
	// are supported. Default: the name of the machine.
	Name string `json:"name,omitempty"`
}

const (
	// maxAuthorities limits the URLs.
	maxAuthorities = 16
	// maxEdgeName bounds the name of an edge or of another gateway, in bytes.
	maxEdgeName = 128
	// defaultEdgeRate is the rate of look-ups of an edge: authorities answer most of them
	// from memory, and have limits of their own.
	defaultEdgeRate = 100
)

func (a *AdminAuthority) validate() error {
	if a == nil {
		return nil
	}
	var problems []error
	switch {
	case len(a.URLs) == 0:
		problems = append(problems, errors.New("admin authority needs the URL of an authority, such as https://authority.example.com:9443"))
	case len(a.URLs) > maxAuthorities:
		problems = append(problems, fmt.Errorf("admin authority has %d URLs, and at most %d are possible", len(a.URLs), maxAuthorities))
	}
	for i, address := range a.URLs {
		if slices.Contains(a.URLs[:i], address) {
			problems = append(problems, fmt.Errorf("admin authority has the URL %q twice; keep one", safeURL(address)))
		}
		if !strings.Contains(address, "{") { // else it is known when the gateway starts
			_, err := authorityURL(address)
			problems = append(problems, err)
		}
	}
	switch {
	case a.Token == "" && a.ClientCertificate == "" && a.ClientKey == "":
		problems = append(problems, errors.New("admin authority needs what the edge is let in with: write token {file./run/secrets/edge-token}, or client_certificate <certificate> <key>"))
	case a.Token != "" && (a.ClientCertificate != "" || a.ClientKey != ""):
		problems = append(problems, errors.New("admin authority has both a token and a client_certificate; keep one"))
	}
	problems = append(problems, checkName("admin authority", a.Name), secretPlaceholder("admin authority token", a.Token), certificatePair("admin authority", a.ClientCertificate, a.ClientKey))
	return errors.Join(problems...)
}

// checkName refuses a name that no header can carry.
func checkName(block, name string) error {
	switch {
	case len(name) > maxEdgeName:
		return fmt.Errorf("%s: the name has %d bytes, and at most %d are possible", block, len(name), maxEdgeName)
	case !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl):
		return fmt.Errorf("%s: the name %q has a character that cannot be shown", block, name)
	}
	return nil
}

// authorityURL reads the URL of an authority: what is sent there lets in whoever has it.
func authorityURL(address string) (*url.URL, error) {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Host == "" || u.Hostname() == "":
		return nil, errors.New("admin authority: a URL is not one of an authority; write https://<host>:<port>")
	case u.User != nil:
		return nil, errors.New("admin authority: a user name or password does not belong in the URL, which logs may show; use the option token")
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		return nil, fmt.Errorf("admin authority: %s is not encrypted, and not on this machine; write https://%s", u, u.Host)
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, fmt.Errorf("admin authority: the scheme of %s must be https", u)
	case strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return nil, fmt.Errorf("admin authority: %s has more than scheme, host and port; write %s://%s", u, u.Scheme, u.Host)
	}
	return &url.URL{Scheme: u.Scheme, Host: u.Host}, nil
}

// safeURL returns a URL without a password, for messages.
func safeURL(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "…"
	}
	return u.Redacted()
}

// isLoopback reports whether a host can only be this machine.
func isLoopback(host string) bool {
	address, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && address.Unmap().IsLoopback()
}

// AuthoritySettings are what an edge asks its authorities with. Secrets are read when they
// are used, so that a rotated one is picked up.
type AuthoritySettings struct {
	URLs              []string               // scheme, host and port
	Token             func() (string, error) // nil with a client certificate
	ClientCertificate string                 // path; empty with a token
	ClientKey         string
	Trust             string // path; empty for the system's roots
	Name              string // never empty
	// Timeout is how long one look-up may take.
	Timeout time.Duration
}

// settings returns the settings, with placeholders replaced. It reads no secret.
func (a *AdminAuthority) settings(timeout time.Duration) (AuthoritySettings, error) {
	replacer := caddy.NewReplacer()
	s := AuthoritySettings{ClientCertificate: a.ClientCertificate, ClientKey: a.ClientKey, Trust: a.Trust, Timeout: timeout}
	for _, address := range a.URLs {
		u, err := authorityURL(replacer.ReplaceKnown(address, ""))
		if err != nil {
			if problem := secretref.Problem(address); problem != "" {
				return AuthoritySettings{}, fmt.Errorf("admin authority: %s", problem)
			}
			return AuthoritySettings{}, err
		}
		if !slices.Contains(s.URLs, u.String()) {
			s.URLs = append(s.URLs, u.String())
		}
	}
	if a.Token != "" {
		s.Token = func() (string, error) { return readSecret("admin authority token", a.Token) }
	}
	if s.Name = strings.TrimSpace(replacer.ReplaceKnown(a.Name, "")); s.Name == "" {
		host, err := os.Hostname()
		if err != nil || host == "" {
			host = "edge"
		}
		s.Name = host
	}
	return s, checkName("admin authority", s.Name)
}

// check reports an authority that cannot be asked because what the configuration names does
// not exist or is empty. It reads files and the environment only. It works on nil.
func (a *AdminAuthority) check() error {
	if a == nil {
		return nil
	}
	settings, err := a.settings(0)
	if err != nil {
		return err
	}
	if settings.Token != nil {
		if _, err := settings.Token(); err != nil {
			return err
		}
	}
	return readablePEM("admin authority", a.Trust, a.ClientCertificate, a.ClientKey)
}

// readablePEM reports a file that is named and cannot be read or has no PEM block.
func readablePEM(name string, files ...string) error {
	for _, file := range files {
		if file == "" {
			continue
		}
		content, err := os.ReadFile(file)
		switch {
		case err != nil:
			return fmt.Errorf("%s: %w; check the path, and that this process may read it", name, err)
		case !strings.Contains(string(content), "-----BEGIN "):
			return fmt.Errorf("%s: %s is no PEM file", name, file)
		}
	}
	return nil
}

// errEdge says why an edge cannot call its workspace as an administrator.
var errEdge = errors.New("this is the configuration of an edge, which has no admin credential; use that of an authority, or --profile")
