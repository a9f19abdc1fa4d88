package tokens

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
)

// respond has the workspace answer something else at a path.
func respond(w *fakeworkspace.Workspace, path string, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	w.Faults().Set(path, fakeworkspace.Respond(http.StatusOK, "application/json", string(body)))
}

// metadata is what the workspace's OAuth server says of itself, as changed.
func metadata(w *fakeworkspace.Workspace, change changes) changes {
	return with(changes{
		"issuer": w.Issuer(), "jwks_uri": w.Issuer() + "/jwks.json",
		"id_token_signing_alg_values_supported": []string{"RS256"},
	}, change)
}

// outage checks that an error is an outage of a kind.
func outage(t *testing.T, err error, want Outage) *UnavailableError {
	t.Helper()
	var unavailable *UnavailableError
	if !errors.As(err, &unavailable) || unavailable.Outage != want {
		t.Fatalf("error %v, want %s", err, want)
	}
	return unavailable
}

func TestJWTDiscovery(t *testing.T) {
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
		{"issuer with user", func(w *fakeworkspace.Workspace) changes {
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
		{"keys behind a user", func(w *fakeworkspace.Workspace) changes {
			return changes{"jwks_uri": strings.Replace(w.Issuer(), "://", "://x@", 1) + "/jwks.json"}
		}, "host"},
		{"keys in a file", func(*fakeworkspace.Workspace) changes { return changes{"jwks_uri": "file:///etc/passwd"} }, "host"},
		{"keys at a relative path", func(*fakeworkspace.Workspace) changes {
			return changes{"jwks_uri": "//" + evil.Listener.Addr().String()}
		}, "host"},
		{"keys of the cloud's metadata", func(*fakeworkspace.Workspace) changes { return changes{"jwks_uri": "http://169.254.169.254/latest"} }, "host"},
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
			if got := outage(t, err, BadAnswer); !strings.Contains(got.Error(), test.hint) {
				t.Errorf("the error does not speak of %s: %v", test.hint, got)
			}
			if n := asked(w, keysPath); n != 0 {
				t.Errorf("keys were fetched %d times", n)
			}
		})
	}
}

func TestJWTDiscoveryFallsBack(t *testing.T) {
	c := newClock()
	w := startIssuer(t, c)
	w.Faults().Set(metadataPath, fakeworkspace.Respond(http.StatusNotFound, "application/json", "{}"))
	if _, err := newTestVerifier(t, w.URL(), c).Verify(t.Context(), w.SignJWT(nil)); err != nil {
		t.Fatal(err)
	}
	if n := asked(w, openIDPath); n != 1 {
		t.Errorf("openid-configuration was asked for %d times", n)
	}
}

func TestJWTRedirectIsNoAnswer(t *testing.T) {
	c := newClock()
	w := startIssuer(t, c)
	workspace := httptest.NewServer(http.RedirectHandler(w.URL()+metadataPath, http.StatusFound))
	defer workspace.Close()
	raw := w.SignJWT(changes{"iss": workspace.URL + "/oidc"})
	_, err := newTestVerifier(t, workspace.URL, c).Verify(t.Context(), raw)
	outage(t, err, BadAnswer)
	if n := len(w.Requests()); n != 0 {
		t.Errorf("the redirect was followed %d times", n)
	}
}

// TestJWTWorkspaceURL: which workspace id a token must name as its audience.
func TestJWTWorkspaceURL(t *testing.T) {
	c := newClock()
	w := startIssuer(t, c)
	id := strconv.FormatInt(w.WorkspaceID(), 10)
	noConfig := func() { w.Faults().Set(configPath, fakeworkspace.Respond(http.StatusNotFound, "text/plain", "")) }
	for _, test := range []struct {
		name, url string
		prepare   func()
		want      error
		outage    Outage
		asked     int // for the id
	}{
		{"plain", w.URL(), nil, nil, "", 1},
		{"with a slash", w.URL() + "/", nil, nil, "", 1},
		{"in capitals", strings.ToUpper(w.URL()), nil, nil, "", 1},
		{"with the id", w.URL() + "?o=" + id, noConfig, nil, "", 0},
		{"with the id after a slash", w.URL() + "/?o=" + id + "#job/1", noConfig, nil, "", 0},
		{"with another id", w.URL() + "?o=42", nil, ErrInvalidJWT, "", 0},
		{"with no id", w.URL() + "?o=abc", nil, nil, NotConfigured, 0},
		{"with a padded id", w.URL() + "?o=0" + id, nil, nil, NotConfigured, 0},
		{"the id is not told", w.URL(), noConfig, nil, BadAnswer, 1},
		{"the id is empty", w.URL(), func() { respond(w, configPath, changes{"workspace_id": ""}) }, nil, BadAnswer, 1},
		{"the id is another's", w.URL(), func() { respond(w, configPath, changes{"workspace_id": "42"}) }, ErrInvalidJWT, "", 1},
		{"no URL", "http://", nil, nil, NotConfigured, 0},
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
				outage(t, err, test.outage)
			} else {
				checkError(t, err, test.want, raw)
			}
			if n := asked(w, configPath); n != test.asked {
				t.Errorf("the id was asked for %d times, want %d", n, test.asked)
			}
		})
	}
}

func TestJWTOutage(t *testing.T) {
	c := newClock()
	w := startIssuer(t, c)
	raw := w.SignJWT(nil)
	for _, path := range []string{metadataPath, keysPath, configPath} {
		for _, test := range []struct {
			name       string
			kind       fakeworkspace.Kind
			want       Outage
			retryAfter time.Duration
		}{
			{"429", fakeworkspace.TooManyRequests("7"), Throttled, 7 * time.Second},
			{"500", fakeworkspace.InternalError(), ServerError, 0},
			{"502", fakeworkspace.BadGateway(), ServerError, 0},
			{"503", fakeworkspace.Unavailable("3"), ServerError, 3 * time.Second},
			{"reset", fakeworkspace.Reset(), Unreachable, 0},
			{"cut", fakeworkspace.CutBody(), Unreachable, 0},
			{"hang", fakeworkspace.Hang(), TimedOut, 0},
			{"garbage", fakeworkspace.GarbageJSON(), BadAnswer, 0},
			{"truncated", fakeworkspace.TruncatedJSON(), BadAnswer, 0},
			{"wrong shape", fakeworkspace.WrongShape(), BadAnswer, 0},
			{"login page", fakeworkspace.HTML(), BadAnswer, 0},
			{"forbidden", fakeworkspace.Refuse(http.StatusForbidden, "PERMISSION_DENIED", "IP address blocked"), BadAnswer, 0},
		} {
			t.Run(path+" "+test.name, func(t *testing.T) {
				w.Faults().Set(path, test.kind)
				defer w.Faults().Clear()
				v := NewVerifier(w.URL(), 200*time.Millisecond, WithVerifierClock(c.Now))
				defer v.Close()
				_, err := v.Verify(t.Context(), raw)
				if got := outage(t, err, test.want); got.RetryAfter != test.retryAfter {
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

func TestJWTAnswersAreBounded(t *testing.T) {
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
		want       Outage
	}{
		{"metadata that fits", metadataPath, metadata(w, nil), maxAnswer, ""},
		{"metadata one byte too long", metadataPath, metadata(w, nil), maxAnswer + 1, BadAnswer},
		{"keys that fit", keysPath, keys(1), maxAnswer, ""},
		{"keys one byte too long", keysPath, keys(1), maxAnswer + 1, BadAnswer},
		{"as many keys as may be", keysPath, keys(maxKeys), 0, ""},
		{"one key too many", keysPath, keys(maxKeys + 1), 0, BadAnswer},
		{"no keys", keysPath, changes{"keys": []changes{}}, 0, BadAnswer},
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
			outage(t, err, test.want)
		})
	}
}

// TestJWTEndlessAnswer: no more is read than the bound and what sockets hold.
func TestJWTEndlessAnswer(t *testing.T) {
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
	outage(t, err, BadAnswer)
	<-over
	if n := sent.Load(); n > 32<<20 {
		t.Errorf("%d bytes were sent", n)
	}
}
