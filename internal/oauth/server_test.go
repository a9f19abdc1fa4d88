package oauth

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/tokens"
)

// respond replaces the workspace's answer at a path.
func respond(w *fakeworkspace.Workspace, path string, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	w.Faults().Set(path, fakeworkspace.Respond(http.StatusOK, "application/json", string(body)))
}

// metadata is the metadata of the workspace's OAuth server, with changes.
func metadata(w *fakeworkspace.Workspace, change changes) changes {
	return with(changes{
		"issuer": w.Issuer(), "jwks_uri": w.Issuer() + "/jwks.json",
		"id_token_signing_alg_values_supported": []string{"RS256"},
	}, change)
}

// wantOutage checks that an error is a given outage.
func wantOutage(t *testing.T, err error, want tokens.Outage) *tokens.UnavailableError {
	t.Helper()
	var unavailable *tokens.UnavailableError
	if !errors.As(err, &unavailable) || unavailable.Outage != want {
		t.Fatalf("error %v, want %s", err, want)
	}
	return unavailable
}

// TestDuplicateNames: documents that decide which tokens are trusted must have one meaning.
func TestDuplicateNames(t *testing.T) {
	t.Parallel()
	c := newClock()
	for name, document := range map[string]func(w *fakeworkspace.Workspace) (path, body string){
		"metadata": func(w *fakeworkspace.Workspace) (path, body string) {
			return "/oidc/.well-known/", `{"issuer":"` + w.Issuer() + `","jwks_uri":"` + w.Issuer() + `/jwks.json","JWKS_URI":"` + w.Issuer() + `/other.json"}`
		},
		"keys": func(*fakeworkspace.Workspace) (path, body string) {
			return "/oidc/jwks.json", `{"keys":[{"kid":"a","kty":"RSA","n":"1","n":"2"}]}`
		},
		"workspace id": func(w *fakeworkspace.Workspace) (path, body string) {
			return "/.well-known/databricks-config", `{"workspace_id":"1","workspace_id":"2"}`
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := startIssuer(t, c)
			path, body := document(w)
			w.Faults().Set(path, fakeworkspace.Respond(http.StatusOK, "application/json", body))
			_, err := newTestVerifier(t, w.URL(), c).Verify(t.Context(), w.SignJWT(changes{"scope": "sql"}))
			if outage := wantOutage(t, err, tokens.BadAnswer); !strings.Contains(outage.Error(), "same name") {
				t.Errorf("%v", outage)
			}
		})
	}
}

func TestDiscovery(t *testing.T) {
	t.Parallel()
	c := newClock()
	evil := httptest.NewServer(http.NotFoundHandler())
	defer evil.Close()
	for _, test := range []struct {
		name   string
		change func(w *fakeworkspace.Workspace) changes
		hint   string // in the error; empty for success
	}{
		{"as it is", func(*fakeworkspace.Workspace) changes { return nil }, ""},
		{"no list of algorithms", func(*fakeworkspace.Workspace) changes { return changes{"id_token_signing_alg_values_supported": nil} }, ""},
		{"symmetric algorithms only", func(*fakeworkspace.Workspace) changes {
			return changes{"id_token_signing_alg_values_supported": []string{"none", "HS256"}}
		}, "algorithm"},
		{"no issuer", func(*fakeworkspace.Workspace) changes { return changes{"issuer": nil} }, "issuer"},
		{"another issuer", func(*fakeworkspace.Workspace) changes { return changes{"issuer": evil.URL + "/oidc"} }, "issuer"},
		{"issuer is the account", func(w *fakeworkspace.Workspace) changes { return changes{"issuer": w.Issuer() + "/accounts/1"} }, "issuer"},
		{"issuer with a user name", func(w *fakeworkspace.Workspace) changes {
			return changes{"issuer": strings.Replace(w.Issuer(), "://", "://x@", 1)}
		}, "issuer"},
		{"keys elsewhere on the host", func(w *fakeworkspace.Workspace) changes { return changes{"jwks_uri": w.Issuer() + "/jwks"} }, ""},
		{"no keys", func(*fakeworkspace.Workspace) changes { return changes{"jwks_uri": nil} }, "host"},
		{"keys on another host", func(*fakeworkspace.Workspace) changes { return changes{"jwks_uri": evil.URL + "/oidc/jwks.json"} }, "host"},
		{"keys on another port", func(*fakeworkspace.Workspace) changes {
			return changes{"jwks_uri": "http://127.0.0.1:1/oidc/jwks.json"}
		}, "host"},
		{"keys by another scheme", func(w *fakeworkspace.Workspace) changes {
			return changes{"jwks_uri": strings.Replace(w.Issuer(), "http:", "https:", 1) + "/jwks.json"}
		}, "host"},
		{"keys with a user name", func(w *fakeworkspace.Workspace) changes {
			return changes{"jwks_uri": strings.Replace(w.Issuer(), "://", "://x@", 1) + "/jwks.json"}
		}, "host"},
		{"keys in a local file", func(*fakeworkspace.Workspace) changes { return changes{"jwks_uri": "file:///etc/passwd"} }, "host"},
		{"keys at a relative path", func(*fakeworkspace.Workspace) changes {
			return changes{"jwks_uri": "//" + evil.Listener.Addr().String()}
		}, "host"},
		{"keys at the cloud's metadata address", func(*fakeworkspace.Workspace) changes { return changes{"jwks_uri": "http://169.254.169.254/latest"} }, "host"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := startIssuer(t, c)
			respond(w, metadataPath, metadata(w, test.change(w)))
			_, err := newTestVerifier(t, w.URL(), c).Verify(t.Context(), w.SignJWT(nil))
			if test.hint == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if got := wantOutage(t, err, tokens.BadAnswer); !strings.Contains(got.Error(), test.hint) {
				t.Errorf("the error does not mention %s: %v", test.hint, got)
			}
			if n := requestsTo(w, keysPath); n != 0 {
				t.Errorf("keys were fetched %d times", n)
			}
		})
	}
}

func TestDiscoveryFallsBack(t *testing.T) {
	t.Parallel()
	c := newClock()
	w := startIssuer(t, c)
	w.Faults().Set(metadataPath, fakeworkspace.Respond(http.StatusNotFound, "application/json", "{}"))
	if _, err := newTestVerifier(t, w.URL(), c).Verify(t.Context(), w.SignJWT(nil)); err != nil {
		t.Fatal(err)
	}
	if n := requestsTo(w, openIDPath); n != 1 {
		t.Errorf("openid-configuration was requested %d times", n)
	}
}

func TestRedirectIsNotFollowed(t *testing.T) {
	t.Parallel()
	c := newClock()
	w := startIssuer(t, c)
	workspace := httptest.NewServer(http.RedirectHandler(w.URL()+metadataPath, http.StatusFound))
	defer workspace.Close()
	raw := w.SignJWT(changes{"iss": workspace.URL + "/oidc"})
	_, err := newTestVerifier(t, workspace.URL, c).Verify(t.Context(), raw)
	wantOutage(t, err, tokens.BadAnswer)
	if n := len(w.Requests()); n != 0 {
		t.Errorf("the redirect was followed %d times", n)
	}
}

// TestWorkspaceURL checks which workspace ID a token must have as its audience.
func TestWorkspaceURL(t *testing.T) {
	t.Parallel()
	c := newClock()
	w := startIssuer(t, c)
	id := strconv.FormatInt(w.WorkspaceID(), 10)
	noConfig := func() { w.Faults().Set(configPath, fakeworkspace.Respond(http.StatusNotFound, "text/plain", "")) }
	for _, test := range []struct {
		name, url string
		prepare   func()
		want      error
		outage    tokens.Outage
		asked     int // for the id
	}{
		{"plain", w.URL(), nil, nil, "", 1},
		{"with a slash", w.URL() + "/", nil, nil, "", 1},
		{"in capitals", strings.ToUpper(w.URL()), nil, nil, "", 1},
		{"with the id", w.URL() + "?o=" + id, noConfig, nil, "", 0},
		{"with the id after a slash", w.URL() + "/?o=" + id + "#job/1", noConfig, nil, "", 0},
		{"with another id", w.URL() + "?o=42", nil, ErrInvalid, "", 0},
		{"with an invalid id", w.URL() + "?o=abc", nil, nil, tokens.NotConfigured, 0},
		{"with a padded id", w.URL() + "?o=0" + id, nil, nil, tokens.NotConfigured, 0},
		{"the id is not published", w.URL(), noConfig, nil, tokens.BadAnswer, 1},
		{"the id is empty", w.URL(), func() { respond(w, configPath, changes{"workspace_id": ""}) }, nil, tokens.BadAnswer, 1},
		{"the id is of another workspace", w.URL(), func() { respond(w, configPath, changes{"workspace_id": "42"}) }, ErrInvalid, "", 1},
		{"without a host", "http://", nil, nil, tokens.NotConfigured, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			w.Reset()
			w.Faults().Clear()
			if test.prepare != nil {
				test.prepare()
			}
			raw := w.SignJWT(nil)
			_, err := newTestVerifier(t, test.url, c).Verify(t.Context(), raw)
			if test.outage != "" {
				wantOutage(t, err, test.outage)
			} else {
				checkError(t, err, test.want, raw)
			}
			if n := requestsTo(w, configPath); n != test.asked {
				t.Errorf("the id was requested %d times, want %d", n, test.asked)
			}
		})
	}
}

func TestOutage(t *testing.T) {
	t.Parallel()
	for _, path := range []string{metadataPath, keysPath, configPath} {
		for _, test := range []struct {
			name       string
			kind       fakeworkspace.Kind
			want       tokens.Outage
			retryAfter time.Duration
		}{
			{"429", fakeworkspace.TooManyRequests("7"), tokens.Throttled, 7 * time.Second},
			{"500", fakeworkspace.InternalError(), tokens.ServerError, 0},
			{"502", fakeworkspace.BadGateway(), tokens.ServerError, 0},
			{"503", fakeworkspace.Unavailable("3"), tokens.ServerError, 3 * time.Second},
			{"reset", fakeworkspace.Reset(), tokens.Unreachable, 0},
			{"cut body", fakeworkspace.CutBody(), tokens.Unreachable, 0},
			{"hang", fakeworkspace.Hang(), tokens.TimedOut, 0},
			{"garbage", fakeworkspace.GarbageJSON(), tokens.BadAnswer, 0},
			{"truncated", fakeworkspace.TruncatedJSON(), tokens.BadAnswer, 0},
			{"wrong shape", fakeworkspace.WrongShape(), tokens.BadAnswer, 0},
			{"login page", fakeworkspace.HTML(), tokens.BadAnswer, 0},
			{"forbidden", fakeworkspace.Refuse(http.StatusForbidden, "PERMISSION_DENIED", "IP address blocked"), tokens.BadAnswer, 0},
		} {
			t.Run(path+" "+test.name, func(t *testing.T) {
				t.Parallel()
				c := newClock()
				w := startIssuer(t, c)
				raw := w.SignJWT(nil)
				w.Faults().Set(path, test.kind)
				timeout := 30 * time.Second
				if test.want == tokens.TimedOut {
					timeout = 2 * time.Second // long enough for the recovery below
				}
				v := newVerifier(w.URL(), timeout, c.Now)
				t.Cleanup(v.Close)
				_, err := v.Verify(t.Context(), raw)
				if got := wantOutage(t, err, test.want); got.RetryAfter != test.retryAfter {
					t.Errorf("retry after %v, want %v", got.RetryAfter, test.retryAfter)
				}
				checkError(t, err, err, raw)
				w.Faults().Clear()
				c.advance(max(time.Second, test.retryAfter))
				if _, err := v.Verify(t.Context(), w.SignJWT(nil)); err != nil {
					t.Errorf("after the outage: %v", err)
				}
			})
		}
	}
}

func TestAnswersAreBounded(t *testing.T) {
	t.Parallel()
	c := newClock()
	w := startIssuer(t, c)
	key, kid := w.SigningKey()
	raw := w.SignJWT(nil)
	keys := func(n int) changes {
		published := make([]changes, n)
		for i := range published {
			published[i] = changes{"kty": "RSA", "kid": strconv.Itoa(i), "n": base64.RawURLEncoding.EncodeToString(key.N.Bytes()), "e": "AQAB"}
		}
		published[0]["kid"] = kid
		return changes{"keys": published}
	}
	for _, test := range []struct {
		name, path string
		answer     changes
		size       int // padded to this
		want       tokens.Outage
	}{
		{"metadata that fits", metadataPath, metadata(w, nil), maxAnswer, ""},
		{"metadata one byte too long", metadataPath, metadata(w, nil), maxAnswer + 1, tokens.BadAnswer},
		{"keys that fit", keysPath, keys(1), maxAnswer, ""},
		{"keys one byte too long", keysPath, keys(1), maxAnswer + 1, tokens.BadAnswer},
		{"as many keys as allowed", keysPath, keys(maxKeys), 0, ""},
		{"one key too many", keysPath, keys(maxKeys + 1), 0, tokens.BadAnswer},
		{"no keys", keysPath, changes{"keys": []changes{}}, 0, tokens.BadAnswer},
	} {
		t.Run(test.name, func(t *testing.T) {
			body, err := json.Marshal(test.answer)
			if err != nil {
				t.Fatal(err)
			}
			padded := string(body) + strings.Repeat(" ", max(0, test.size-len(body)))
			defer w.Faults().Set(test.path, fakeworkspace.Respond(http.StatusOK, "application/json", padded)).Remove()
			_, err = newTestVerifier(t, w.URL(), c).Verify(t.Context(), raw)
			if test.want == "" {
				checkError(t, err, nil, raw)
				return
			}
			wantOutage(t, err, test.want)
		})
	}
}

// TestEndlessAnswer checks that reading stops at the bound, give or take what sockets
// buffer.
func TestEndlessAnswer(t *testing.T) {
	t.Parallel()
	c := newClock()
	var sent atomic.Int64
	over := make(chan struct{})
	workspace := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		defer close(over)
		for chunk := make([]byte, 64<<10); ; {
			n, err := rw.Write(chunk)
			if sent.Add(int64(n)); err != nil {
				return
			}
		}
	}))
	defer workspace.Close()
	w := startIssuer(t, c)
	_, err := newTestVerifier(t, workspace.URL, c).Verify(t.Context(), w.SignJWT(changes{"iss": workspace.URL + "/oidc"}))
	wantOutage(t, err, tokens.BadAnswer)
	<-over
	if n := sent.Load(); n > 32<<20 {
		t.Errorf("%d bytes were sent", n)
	}
}
