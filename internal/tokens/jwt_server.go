package tokens

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
)

// maxKeys bounds the keys of a workspace, which has one or two.
const maxKeys = 64

// oauthServer asks the workspace's OAuth server about itself, without a
// credential. It follows no redirect and asks no other host, whatever the answers
// say: they decide whom to believe, so they must come from the workspace itself.
type oauthServer struct {
	client *transport
	base   string // scheme://host, normalised
	issuer string

	// workspaceID is 0 unless the operator told it.
	workspaceID int64
}

// newOAuthServer does not use the network.
func newOAuthServer(workspace string, timeout time.Duration) (*oauthServer, error) {
	u, err := parseHost(workspace)
	if err != nil {
		return nil, errors.New("the workspace URL cannot be read")
	}
	s := &oauthServer{client: newTransport(timeout), base: origin(u)}
	s.issuer = s.base + "/oidc"
	if id := u.Query().Get("o"); id != "" {
		if s.workspaceID, err = parseWorkspaceID(id); err != nil {
			return nil, fmt.Errorf("o= of the workspace URL: %w", err)
		}
	}
	return s, nil
}

// oauthMetadata is what the OAuth server says of itself, as far as it is believed.
type oauthMetadata struct {
	at          time.Time
	keysURL     string
	algorithms  []jose.SignatureAlgorithm
	workspaceID int64
}

// discover reads the server's metadata (RFC 8414). Databricks' SDKs read it at
// oauth-authorization-server; openid-configuration, which Databricks documents
// too, is asked only where the first does not exist.
func (s *oauthServer) discover(ctx context.Context) (*oauthMetadata, error) {
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
		return nil, badAnswer(path, fmt.Errorf("it names the issuer %.200q and not %q; set the workspace URL to the one it names", answer.Issuer, s.issuer))
	}
	if u, err := url.Parse(answer.KeysURL); err != nil || u.User != nil || origin(u) != s.base {
		return nil, badAnswer(path, errors.New("its jwks_uri is not on the workspace's own host"))
	}
	metadata := &oauthMetadata{keysURL: answer.KeysURL, workspaceID: s.workspaceID}
	if metadata.algorithms = acceptedAlgorithms(answer.Algorithms); len(metadata.algorithms) == 0 {
		return nil, badAnswer(path, errors.New("it names no signing algorithm that is accepted here"))
	}
	if metadata.workspaceID == 0 {
		metadata.workspaceID, err = s.askWorkspaceID(ctx)
	}
	return metadata, err
}

// acceptedAlgorithms returns those that the workspace uses and that are safe. The
// list is about ID tokens, there is none for access tokens; the same keys sign
// both. Without a list it is RS256, which OpenID Connect Discovery 1.0, section 3,
// has every server support.
func acceptedAlgorithms(listed []string) []jose.SignatureAlgorithm {
	if len(listed) == 0 {
		return []jose.SignatureAlgorithm{jose.RS256}
	}
	var accepted []jose.SignatureAlgorithm
	for _, a := range jwtAlgorithms {
		if slices.Contains(listed, string(a)) {
			accepted = append(accepted, a)
		}
	}
	return accepted
}

// askWorkspaceID reads the workspace's id where its SDKs do.
func (s *oauthServer) askWorkspaceID(ctx context.Context) (int64, error) {
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
		return 0, errors.New("no workspace id")
	}
	return id, nil
}

// fetchKeys reads the published keys (RFC 7517, section 5). Keys that cannot
// verify an access token are left out, as that section asks.
func (s *oauthServer) fetchKeys(ctx context.Context, keysURL string) (map[string][]verifyingKey, error) {
	var answer struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := s.get(ctx, keysURL, &answer); err != nil {
		return nil, err
	}
	if len(answer.Keys) > maxKeys {
		return nil, badAnswer("jwks_uri", fmt.Errorf("it has more than %d keys", maxKeys))
	}
	byID := make(map[string][]verifyingKey, len(answer.Keys))
	for _, raw := range answer.Keys {
		if key, ok := newVerifyingKey(raw); ok {
			byID[key.jwk.KeyID] = append(byID[key.jwk.KeyID], key)
		}
	}
	if len(byID) == 0 {
		return nil, badAnswer("jwks_uri", errors.New("it has no key that could sign an access token"))
	}
	return byID, nil
}

var errNotFound = errors.New("it does not exist (status 404)")

// get reads a JSON answer. Its errors are of type [*UnavailableError].
func (s *oauthServer) get(ctx context.Context, address string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return badAnswer("jwks_uri", errors.New("it is no address"))
	}
	req.Header.Set("Accept", "application/json")
	resp, err := s.client.RoundTrip(req) // not http.Client: a redirect is no answer
	if err != nil {
		var outage *UnavailableError
		if errors.As(err, &outage) {
			return &UnavailableError{Outage: outage.Outage, RetryAfter: outage.RetryAfter, Err: fmt.Errorf("reading %s: %w", req.URL.Path, err)}
		}
		return &UnavailableError{Outage: Unreachable, Err: fmt.Errorf("reading %s: %w", req.URL.Path, err)}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body) // which the transport has bounded
	switch {
	case err != nil:
		return &UnavailableError{Outage: Unreachable, Err: fmt.Errorf("reading %s: %w", req.URL.Path, err)}
	case resp.StatusCode == http.StatusNotFound:
		return badAnswer(req.URL.Path, errNotFound)
	case resp.StatusCode != http.StatusOK:
		return badAnswer(req.URL.Path, fmt.Errorf("status %d", resp.StatusCode))
	case json.Unmarshal(body, into) != nil:
		return badAnswer(req.URL.Path, errors.New("not the JSON that belongs there"))
	}
	return nil
}

func badAnswer(path string, err error) *UnavailableError {
	return &UnavailableError{Outage: BadAnswer, Err: fmt.Errorf("reading %s for OAuth tokens: %w", path, err)}
}

// origin returns scheme and host as RFC 6454, section 6.2, writes them: in lower
// case and without the scheme's own port.
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
