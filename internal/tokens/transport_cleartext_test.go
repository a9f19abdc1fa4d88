package tokens

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestNoSecretInCleartext: a workspace with TLS that names a token endpoint without it does
// not get the secret sent there.
func TestNoSecretInCleartext(t *testing.T) {
	t.Parallel()
	var leaked atomic.Int32
	cleartext := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if body, _ := io.ReadAll(r.Body); len(body) > 0 || r.Header.Get("Authorization") != "" {
			leaked.Add(1)
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"access_token":"t","token_type":"Bearer","expires_in":3600}`)
	}))
	defer cleartext.Close()
	transport := NewTransport(time.Second)
	defer transport.Close()
	for _, form := range []string{"", "client_secret=secret"} {
		for _, secure := range []bool{true, false} {
			leaked.Store(0)
			request, err := http.NewRequestWithContext(context.Background(), http.MethodPost, cleartext.URL, strings.NewReader(form))
			if err != nil {
				t.Fatal(err)
			}
			if form == "" {
				request.SetBasicAuth("id", "secret")
			}
			answer, err := signInTransport{transport, secure}.RoundTrip(request)
			if err != nil {
				t.Fatal(err)
			}
			_ = answer.Body.Close()
			if sent := leaked.Load() > 0; sent == secure {
				t.Errorf("form %q, secure %v: sent %v", form, secure, sent)
			}
		}
	}
}
