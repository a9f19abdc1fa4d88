package caddyserver

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	_ "github.com/scopegate/scopegate/internal/caddymodules"
)

func init() {
	caddy.RegisterModule(testHandler{})
}

// testHandler stands for the gateway. It answers requests with the header X-Known as
// soon as it has their body, and refuses others without reading it.
type testHandler struct{}

// testServers are the servers of the configuration being loaded.
var testServers *Servers

func (testHandler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.test_gateway", New: func() caddy.Module { return new(testHandler) }}
}

func (h *testHandler) Provision(ctx caddy.Context) error { return testServers.Carry(ctx, h) }

func (h *testHandler) ServeHTTP(w http.ResponseWriter, r *http.Request, _ caddyhttp.Handler) error {
	if r.Header.Get("X-Known") == "" {
		DistrustBody(r)
		w.WriteHeader(http.StatusUnauthorized)
		return nil
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(w, len(body))
	return err
}

func (h *testHandler) AnswersChecks() bool { return false }

func (h *testHandler) ServeMisdirected(w http.ResponseWriter, _ *http.Request, _ []string) error {
	w.WriteHeader(http.StatusMisdirectedRequest)
	return nil
}

// load runs servers with these settings and returns them. The first one carries the
// gateway.
func load(t *testing.T, app, server string) (address string, carrying, other *caddyhttp.Server, httpApp *caddyhttp.App) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address = listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	testServers = new(Servers)
	t.Cleanup(func() {
		testServers.Close()
		_ = caddy.Stop() // also of a configuration that did not start
	})
	config := fmt.Sprintf(`{"admin": {"disabled": true, "config": {"persist": false}}, "logging": {"logs": {"default": {"level": "PANIC"}}}, "apps": {"http": {%s "servers": {
		"carrying": {%s "automatic_https": {"disable": true}, "listen": [%q], "routes": [{"handle": [{"handler": "test_gateway"}]}]},
		"other": {"listen": ["127.0.0.1:0"], "routes": [{"handle": [{"handler": "static_response"}]}]}
	}}}}`, app, server, address)
	if err := caddy.Load([]byte(config), true); err != nil {
		t.Fatal(err)
	}
	found, err := caddy.ActiveContext().AppIfConfigured("http")
	if err != nil {
		t.Fatal(err)
	}
	httpApp = found.(*caddyhttp.App)
	return address, httpApp.Servers["carrying"], httpApp.Servers["other"], httpApp
}

// TestTimeouts: both idle timeouts are raised together, where the gateway is, unless the
// operator says otherwise.
func TestTimeouts(t *testing.T) {
	const second, minute = caddy.Duration(time.Second), caddy.Duration(time.Minute)
	for _, tt := range []struct {
		name, app, server  string
		read, write, grace caddy.Duration
	}{
		{"defaults", "", "", 15 * minute, 15 * minute, 10 * second},
		{"read", "", `"read_idle_timeout": "2m",`, 2 * minute, 15 * minute, 10 * second},
		{"write", "", `"write_idle_timeout": "30s",`, 15 * minute, 30 * second, 10 * second},
		{"grace period", `"grace_period": "1s",`, "", 15 * minute, 15 * minute, second},
		{"no grace period", `"grace_period": -1,`, "", 15 * minute, 15 * minute, -1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, carrying, other, app := load(t, tt.app, tt.server)
			if carrying.ReadIdleTimeout != tt.read || carrying.WriteIdleTimeout != tt.write || app.GracePeriod != tt.grace {
				t.Errorf("read %v, write %v, grace %v", carrying.ReadIdleTimeout, carrying.WriteIdleTimeout, app.GracePeriod)
			}
			if carrying.ReadHeaderTimeout > minute || carrying.ReadHeaderTimeout <= 0 {
				t.Errorf("headers may take %v", carrying.ReadHeaderTimeout)
			}
			if other.ReadIdleTimeout != minute || other.WriteIdleTimeout != minute {
				t.Errorf("another server: read %v, write %v", other.ReadIdleTimeout, other.WriteIdleTimeout)
			}
		})
	}
}

// TestExplicitTimeout: what the operator sets cuts a paused upload.
func TestExplicitTimeout(t *testing.T) {
	address, _, _, _ := load(t, "", `"read_idle_timeout": "100ms",`)
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(conn, "POST / HTTP/1.1\r\nHost: x\r\nX-Known: yes\r\nContent-Length: 4\r\n\r\nab")
	if answer, err := http.ReadResponse(bufio.NewReader(conn), nil); err == nil && answer.StatusCode == http.StatusOK {
		t.Error(answer.Status)
	}
}

// TestSlowBodies: strangers may not hold a connection with a body that does not come.
// Others may.
func TestSlowBodies(t *testing.T) {
	before := strangerIdle
	t.Cleanup(func() { strangerIdle = before })
	strangerIdle = 200 * time.Millisecond
	address, _, _, _ := load(t, "", "")
	for _, tt := range []struct {
		name, header string
		status       int // 0: the connection is closed
	}{
		{"known", "X-Known: yes\r\n", http.StatusOK},
		{"stranger", "", http.StatusUnauthorized},
	} {
		t.Run(tt.name, func(t *testing.T) {
			conn, err := net.Dial("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: x\r\n%sContent-Length: 4\r\n\r\nab", tt.header)
			begin := time.Now()
			if tt.status == http.StatusOK {
				time.Sleep(3 * strangerIdle) // the pause is what is tested
				fmt.Fprint(conn, "cd")
			}
			answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if tt.status == http.StatusOK {
				if err != nil || answer.StatusCode != tt.status {
					t.Errorf("%v, %v", answer, err)
				}
				return
			}
			// Answered or cut, but soon.
			if lasted := time.Since(begin); lasted > 5*time.Second {
				t.Errorf("%v, %v after %v", answer, err, lasted)
			}
		})
	}
}
