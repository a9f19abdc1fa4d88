package caddymodule

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"

	"github.com/scopegate/scopegate/internal/fleet/seal"
	"github.com/scopegate/scopegate/internal/secretref"
)

// Fleet is the Redis or Valkey server through which gateways that have an admin credential
// share what they find out about tokens: one of them asks the workspace, all know the
// answer, and a change that one notices takes effect in all. No gateway waits for it longer
// than 50 milliseconds in one request, and while it is down every gateway goes on by itself.
type Fleet struct {
	// URL of the server: `redis://host:6379/0`, or `rediss://host:6379/0` with TLS. The path
	// is the number of the database. Default port: 6379, of Sentinels 26379. User name and
	// password have options of their own. With `sentinel`, the hosts, separated by commas,
	// are those of the Sentinels. Placeholders are supported.
	URL string `json:"url,omitempty"`

	// The fleet's keys, as placeholders: `{file./path}` or `{env.NAME}`, with at least 32
	// bytes in base64 or hex each. All gateways of the fleet need the same. The first one
	// seals what is written and names it; what is sealed by the second can be read too, so
	// that a key can be replaced without a pause. Make one with `openssl rand -base64 32`.
	Keys []string `json:"key,omitempty"`

	// User name of the server's access control list. Placeholders are supported. Default:
	// the server's default user.
	Username string `json:"username,omitempty"`

	// What this gateway calls itself, for `scopegate scopes fleet`, if several are on one
	// machine; at most 128 bytes. Placeholders are supported. Default: the name of the
	// machine.
	Name string `json:"name,omitempty"`

	// Password of that user, as a placeholder. Default: none.
	Password string `json:"password,omitempty"`

	// Name of the master, as Sentinels know it. Default: the URL names the server itself.
	Sentinel string `json:"sentinel,omitempty"`

	// TLS of connections to a `rediss://` server. Default: the system's certificate
	// authorities, and no client certificate.
	TLS *FleetTLS `json:"tls,omitempty"`
}

// FleetTLS sets whom connections to a store trust, and what they show.
type FleetTLS struct {
	// Path of a PEM file with the certificate authorities that are trusted instead of the
	// system's.
	Trust string `json:"trust,omitempty"`

	// Paths of PEM files with a client certificate and its key. Files that are replaced are
	// read again for the next connection.
	ClientCertificate string `json:"client_certificate,omitempty"`
	ClientKey         string `json:"client_key,omitempty"`

	// Name that the server's certificate must have. Default: the host in the URL.
	ServerName string `json:"server_name,omitempty"`
}

const (
	// maxFleetKeys is how many keys a fleet can have: one in use, and one that it replaces or
	// that replaces it.
	maxFleetKeys = 2
	// maxSentinels limits the hosts of a URL.
	maxSentinels = 16
	// maxDatabase is the highest number of a database.
	maxDatabase = 1<<16 - 1
)

func (f *Fleet) validate() error {
	if f == nil {
		return nil
	}
	var problems []error
	if f.URL == "" {
		problems = append(problems, errors.New("fleet needs the URL of a Redis or Valkey server, such as rediss://redis.example.com:6379/0"))
	}
	switch {
	case len(f.Keys) == 0:
		problems = append(problems, errors.New("fleet needs a key, which all its gateways share: write key {file./run/secrets/fleet.key}; make one with openssl rand -base64 32"))
	case len(f.Keys) > maxFleetKeys:
		problems = append(problems, fmt.Errorf("fleet has %d keys, and at most %d are possible: one in use, and one that it replaces", len(f.Keys), maxFleetKeys))
	case len(f.Keys) == maxFleetKeys && f.Keys[0] == f.Keys[1]:
		problems = append(problems, errors.New("fleet has the same key twice; keep one"))
	}
	for _, key := range f.Keys {
		problems = append(problems, neededPlaceholder("fleet key", key))
	}
	problems = append(problems, secretPlaceholder("fleet password", f.Password), f.TLS.validate("fleet tls"))
	problems = append(problems, checkName("fleet", f.Name))
	if f.Username != "" && f.Password == "" {
		problems = append(problems, errors.New("fleet has a username but no password"))
	}
	if f.URL != "" && !strings.Contains(f.URL, "{") { // else it is known when the gateway starts
		problems = append(problems, f.validateURL(f.URL))
	}
	return errors.Join(problems...)
}

func (f *Fleet) validateURL(url string) error {
	_, err := f.server(url)
	return err
}

func (t *FleetTLS) validate(name string) error {
	if t == nil {
		return nil
	}
	if *t == (FleetTLS{}) {
		return fmt.Errorf("%s is empty; omit it to trust the system's certificate authorities", name)
	}
	return certificatePair(name, t.ClientCertificate, t.ClientKey)
}

// certificatePair refuses one of two files that go together.
func certificatePair(name, certificate, key string) error {
	if (certificate == "") != (key == "") {
		return fmt.Errorf("%s has half a client certificate; write client_certificate <certificate> <key>, two PEM files", name)
	}
	return nil
}

// neededPlaceholder is secretPlaceholder for a secret that must not be empty.
func neededPlaceholder(name, value string) error {
	if value == "" {
		return fmt.Errorf("%s is empty", name)
	}
	return secretPlaceholder(name, value)
}

// FleetServer is where a store is.
type FleetServer struct {
	// Addresses are host:port, of the server or, with a Sentinel name, of Sentinels.
	Addresses []string
	Database  int
	TLS       bool
}

// server reads the URL of the store. It is read by hand because net/url refuses several
// hosts with ports. What it quotes has no password: one in the URL is an error that quotes
// nothing.
func (f *Fleet) server(url string) (FleetServer, error) {
	scheme, rest, ok := strings.Cut(url, "://")
	hosts, path, _ := strings.Cut(rest, "/")
	var server FleetServer
	switch {
	case strings.Contains(rest, "@"):
		return server, errors.New("fleet: user name and password do not belong in the URL, which logs may show; use the options username and password {file./run/secrets/redis}")
	case !ok:
		return server, fmt.Errorf("fleet: %q lacks its scheme; write rediss://<host>:6379/0, or redis:// without TLS", url)
	case scheme != "redis" && scheme != "rediss":
		return server, fmt.Errorf("fleet: the scheme must be rediss, or redis without TLS, not %q", scheme)
	case f.TLS != nil && scheme != "rediss":
		return server, errors.New("fleet: tls goes with a rediss:// URL; this one is redis://, which is not encrypted")
	case strings.ContainsAny(rest, "?#"):
		return server, errors.New("fleet: the URL has a query or a fragment; its settings are options of the block")
	}
	server.TLS = scheme == "rediss"
	if path != "" {
		number, err := strconv.ParseUint(path, 10, 32)
		if err != nil || number > maxDatabase {
			return server, fmt.Errorf("fleet: the path of the URL is the number of a database, such as /0, not /%s", path)
		}
		server.Database = int(number)
	}
	all := strings.Split(hosts, ",")
	switch {
	case len(all) > 1 && f.Sentinel == "":
		return server, errors.New("fleet: the URL has several hosts; keep one, or name the master with the option sentinel if they are Sentinels")
	case len(all) > maxSentinels:
		return server, fmt.Errorf("fleet: the URL has %d hosts, and at most %d are possible", len(all), maxSentinels)
	}
	port := "6379"
	if f.Sentinel != "" {
		port = "26379"
	}
	for _, host := range all {
		address, err := storeAddress(host, port)
		if err != nil {
			return server, err
		}
		if slices.Contains(server.Addresses, address) {
			return server, fmt.Errorf("fleet: the URL has the host %s twice", address)
		}
		server.Addresses = append(server.Addresses, address)
	}
	return server, nil
}

// storeAddress returns host:port of a host with or without a port.
func storeAddress(host, port string) (string, error) {
	name := strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if n, p, err := net.SplitHostPort(host); err == nil {
		name, port = n, p
	} else if strings.Contains(name, ":") && name == host {
		return "", fmt.Errorf("fleet: the host %q in the URL is not host:port; an IPv6 address stands in brackets", host)
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil || number == 0 || name == "" || strings.ContainsAny(name, " \t[]%\\") {
		return "", fmt.Errorf("fleet: %q in the URL is not a host and a port, such as redis.example.com:6379", host)
	}
	return net.JoinHostPort(name, port), nil
}

// FleetSettings are what a store is opened with. Secrets are read when they are used, so
// that a rotated one is picked up.
type FleetSettings struct {
	FleetServer
	Sentinel string // name of the master; empty where Addresses has the server itself
	Username string
	Name     string                 // of this gateway
	Password func() (string, error) // nil for none
	// Keys returns the text of one or two keys, the one that seals first.
	Keys func() ([]string, error)
	TLS  FleetTLS // for FleetServer.TLS
}

// settings returns the settings, with placeholders replaced. It reads no secret.
func (f *Fleet) settings() (FleetSettings, error) {
	replacer := caddy.NewReplacer()
	server, err := f.server(replacer.ReplaceKnown(f.URL, ""))
	if err != nil {
		if problem := secretref.Problem(f.URL); problem != "" {
			return FleetSettings{}, fmt.Errorf("fleet: %s", problem)
		}
		return FleetSettings{}, err
	}
	s := FleetSettings{
		FleetServer: server,
		Sentinel:    f.Sentinel,
		Username:    replacer.ReplaceKnown(f.Username, ""),
		Name:        cmp.Or(replacer.ReplaceKnown(f.Name, ""), machineName()),
		Keys:        func() ([]string, error) { return readSecrets("fleet key", f.Keys) },
	}
	if f.Password != "" {
		s.Password = func() (string, error) { return readSecret("fleet password", f.Password) }
	}
	if f.TLS != nil {
		s.TLS = *f.TLS
	}
	return s, nil
}

// sealing reads the keys.
func (s *FleetSettings) sealing() (*seal.Keys, error) {
	texts, err := s.Keys()
	if err != nil {
		return nil, err
	}
	keys, err := seal.ReadKeys(texts)
	if err != nil {
		return nil, fmt.Errorf("fleet key: %w", err)
	}
	return keys, nil
}

// check reports a fleet that cannot work because what it names does not exist or is empty.
// It reads files and the environment only. It works on nil.
func (f *Fleet) check() error {
	if f == nil {
		return nil
	}
	settings, err := f.settings()
	if err != nil {
		return err
	}
	if _, err := settings.sealing(); err != nil {
		return err
	}
	if settings.Password != nil {
		if _, err := settings.Password(); err != nil {
			return err
		}
	}
	if f.Username != "" && settings.Username == "" {
		return fmt.Errorf("fleet username: %s", cmp.Or(secretref.Problem(f.Username), f.Username+" is empty"))
	}
	if err := checkName("fleet", settings.Name); err != nil {
		return err
	}
	return readablePEM("fleet tls", settings.TLS.Trust, settings.TLS.ClientCertificate, settings.TLS.ClientKey)
}
