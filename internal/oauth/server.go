package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/scopegate/scopegate/internal/tokens"
)

// maxKeys bounds the published keys of a workspace, which has one or two.
const maxKeys = 64

// authServer is a client of the workspace's OAuth server. It sends no credential. It
// follows no redirect and asks no other host, whatever the answers say: they decide
// which tokens are trusted, so they must come from the workspace itself.
type authServer struct {
	client *tokens.Transport
	base   string // scheme://host, normalized
	issuer string

	// workspaceID is 0 unless the workspace URL says it.
	workspaceID int64
}

// newAuthServer does not use the network.
func newAuthServer(workspace string, timeout time.Duration) (*authServer, error) {
	u, err := tokens.ParseWorkspaceURL(workspace)
	if err != nil {
		return nil, errors.New("the workspace URL is invalid; set it to https:// and the workspace's host name")
	}
	s := &authServer{client: tokens.NewTransport(timeout), base: origin(u)}
	s.issuer = s.base + "/oidc"
	if id := u.Query().Get("o"); id != "" {
		if s.workspaceID, err = parseWorkspaceID(id); err != nil {
			return nil, fmt.Errorf("o= of the workspace URL: %w", err)
		}
	}
	return s, nil
}

// serverMetadata is the part of the server's metadata that we use, after checks.
type serverMetadata struct {
	at          time.Time
	keysURL     string
	algorithms  []jose.SignatureAlgorithm
	workspaceID int64
}

// discover reads the server's metadata (RFC 8414). Databricks' SDKs read
// oauth-authorization-server; openid-configuration, which Databricks documents too,
// is read only if the first does not exist.
func (s *authServer) discover(ctx context.Context) (*serverMetadata, error) {
	var answer struct {
		Issuer     string   `json:"issuer"`
		KeysURL    string   `json:"jwks_uri"`
		Algorithms []string `json:"id_token_signing_alg_values_supported"`
	}
	path := "/oidc/.well-known/oauth-authorization-server"
	err := s.get(ctx, s.base+path, &answer)
	if errors.Is(err, errNotFound) {
		path = "/oidc/.well-known/openid-configuration"
		err = s.get(ctx, s.base+path, &answer)
	}
	if err != nil {
		return nil, err
	}
	// RFC 8414, section 3.3: metadata that names another issuer must not be used.
	if answer.Issuer != s.issuer {
		return nil, badAnswer(path, fmt.Errorf("the issuer is %.200q, want %q; set the workspace URL to the one that the issuer names", answer.Issuer, s.issuer))
	}
	if u, err := url.Parse(answer.KeysURL); err != nil || u.User != nil || origin(u) != s.base {
		return nil, badAnswer(path, errors.New("jwks_uri is not on the workspace's own host"))
	}
	metadata := &serverMetadata{keysURL: answer.KeysURL, workspaceID: s.workspaceID}
	if metadata.algorithms = acceptedAlgorithms(answer.Algorithms); len(metadata.algorithms) == 0 {
		return nil, badAnswer(path, errors.New("no listed signing algorithm is supported"))
	}
	if metadata.workspaceID == 0 {
		metadata.workspaceID, err = s.askWorkspaceID(ctx)
	}
	return metadata, err
}

// acceptedAlgorithms returns the listed algorithms that are also safe. The list is
// about ID tokens, since there is none for access tokens; the same keys sign both.
// Without a list it is RS256, which OpenID Connect Discovery 1.0, section 3,
// requires of every server.
func acceptedAlgorithms(listed []string) []jose.SignatureAlgorithm {
	if len(listed) == 0 {
		return []jose.SignatureAlgorithm{jose.RS256}
	}
	var accepted []jose.SignatureAlgorithm
	for _, a := range supportedAlgorithms {
		if slices.Contains(listed, string(a)) {
			accepted = append(accepted, a)
		}
	}
	return accepted
}

// askWorkspaceID reads the workspace ID where Databricks' SDKs read it.
func (s *authServer) askWorkspaceID(ctx context.Context) (int64, error) {
	const path = "/.well-known/databricks-config"
	var answer struct {
		WorkspaceID string `json:"workspace_id"`
	}
	err := s.get(ctx, s.base+path, &answer)
	if err != nil && !errors.Is(err, errNotFound) {
		return 0, err
	}
	id, err := parseWorkspaceID(answer.WorkspaceID)
	if err != nil {
		return 0, badAnswer(path, fmt.Errorf("%w; add ?o=<workspace id> to the workspace URL", err))
	}
	return id, nil
}

func parseWorkspaceID(s string) (int64, error) {
	id, err := strconv.ParseInt(s, 10, 64)
	if err != nil || id <= 0 || strconv.FormatInt(id, 10) != s {
		return 0, errors.New("missing or invalid workspace id")
	}
	return id, nil
}

// fetchKeys reads the published keys (RFC 7517, section 5). It skips keys that cannot
// verify an access token, as that section asks.
func (s *authServer) fetchKeys(ctx context.Context, keysURL string) (map[string][]publicKey, error) {
	var answer struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := s.get(ctx, keysURL, &answer); err != nil {
		return nil, err
	}
	if len(answer.Keys) > maxKeys {
		return nil, badAnswer("jwks_uri", fmt.Errorf("more than %d keys", maxKeys))
	}
	byID := make(map[string][]publicKey, len(answer.Keys))
	for _, raw := range answer.Keys {
		if key, ok := newPublicKey(raw); ok {
			byID[key.jwk.KeyID] = append(byID[key.jwk.KeyID], key)
		}
	}
	if len(byID) == 0 {
		return nil, badAnswer("jwks_uri", errors.New("no key that could sign an access token"))
	}
	return byID, nil
}

var errNotFound = errors.New("not found (status 404)")

// get reads a JSON answer. Its errors are of type [*tokens.UnavailableError].
func (s *authServer) get(ctx context.Context, address string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return badAnswer("jwks_uri", errors.New("invalid URL"))
	}
	req.Header.Set("Accept", "application/json")
	resp, err := s.client.RoundTrip(req) // not http.Client, which follows redirects
	if err != nil {
		outage := &tokens.UnavailableError{Outage: tokens.Unreachable}
		var known *tokens.UnavailableError
		if errors.As(err, &known) {
			outage.Outage, outage.RetryAfter = known.Outage, known.RetryAfter
		}
		outage.Err = fmt.Errorf("reading %s: %w", req.URL.Path, err)
		return outage
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body) // bounded by the transport
	switch {
	case err != nil:
		return &tokens.UnavailableError{Outage: tokens.Unreachable, Err: fmt.Errorf("reading %s: %w", req.URL.Path, err)}
	case resp.StatusCode == http.StatusNotFound:
		return badAnswer(req.URL.Path, errNotFound)
	case resp.StatusCode != http.StatusOK:
		return badAnswer(req.URL.Path, fmt.Errorf("status %d", resp.StatusCode))
	case json.Unmarshal(body, into) != nil:
		return badAnswer(req.URL.Path, errors.New("the body is not the expected JSON"))
	}
	return nil
}

func badAnswer(path string, err error) *tokens.UnavailableError {
	return &tokens.UnavailableError{Outage: tokens.BadAnswer, Err: fmt.Errorf("reading %s for OAuth tokens: %w", path, err)}
}

// origin returns scheme and host as RFC 6454, section 6.2, writes them: in lower
// case and without the scheme's default port.
func origin(u *url.URL) string {
	scheme, host := strings.ToLower(u.Scheme), strings.ToLower(u.Host)
	switch scheme {
	case "https":
		host = strings.TrimSuffix(host, ":443")
	case "http":
		host = strings.TrimSuffix(host, ":80")
	}
	return scheme + "://" + host
}
