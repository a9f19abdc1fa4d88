package tokens

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestCredentialThatNoHeaderMayHold: such a credential is the operator's to fix, and no
// failure of the network.
func TestCredentialThatNoHeaderMayHold(t *testing.T) {
	workspace := startWorkspace(t)
	token := workspace.AdminToken()
	id, secret := workspace.AdminClient()
	file := func(lines string) string { return "[admin]\nhost = " + workspace.URL() + "\n" + lines + "\n" }
	const credential, header = "the admin credential holds a character", "the header X-Databricks-Workspace-Id would hold a character"
	for _, test := range []struct {
		name  string
		env   map[string]string
		file  string
		admin Admin
		want  string // empty if it works
	}{
		{"token, line feed", map[string]string{"DATABRICKS_TOKEN": token + "\n"}, "", Admin{}, credential},
		{"token, CR", map[string]string{"DATABRICKS_TOKEN": token + "\r"}, "", Admin{}, credential},
		{"token, within", map[string]string{"DATABRICKS_TOKEN": token[:9] + "\r\n" + token[9:]}, "", Admin{}, credential},
		{"token, escape", map[string]string{"DATABRICKS_TOKEN": "\x1b" + token}, "", Admin{}, credential},
		{"token, DEL", map[string]string{"DATABRICKS_TOKEN": token + "\x7f"}, "", Admin{}, credential},
		{"client id", map[string]string{"DATABRICKS_CLIENT_ID": id + "\n", "DATABRICKS_CLIENT_SECRET": secret}, "", Admin{}, credential},
		{"client secret", map[string]string{"DATABRICKS_CLIENT_ID": id, "DATABRICKS_CLIENT_SECRET": secret + "\n"}, "", Admin{}, credential},
		{"password", map[string]string{"DATABRICKS_USERNAME": "me", "DATABRICKS_PASSWORD": token + "\n"}, "", Admin{}, credential},
		{"given token", nil, "", Admin{Token: given(token + "\n")}, credential},
		{"given client", nil, "", Admin{ClientID: id, ClientSecret: given(secret + "\n")}, credential},
		{"token of a profile", nil, file("token = " + token + "\x01"), Admin{Profile: "admin"}, credential},
		{"client of a profile", nil, file("client_id = " + id + "\nclient_secret = \x01" + secret), Admin{Profile: "admin"}, credential},
		{"workspace id", map[string]string{"DATABRICKS_TOKEN": token, "DATABRICKS_WORKSPACE_ID": "1\n"}, "", Admin{}, header},
		{"the end of a line of a profile", nil, file("token = " + token + "\r"), Admin{Profile: "admin"}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			isolate(t, test.file)
			for name, value := range test.env {
				t.Setenv(name, value)
			}
			d := startService(t, workspace.URL(), test.admin, 5*time.Second)
			_, err := d.Lookup(t.Context(), Query{ID: IDOf(somePAT)})
			if test.want == "" {
				if !errors.Is(err, ErrUnknownToken) {
					t.Error(err)
				}
				return
			}
			var outage *UnavailableError
			if !errors.As(err, &outage) || outage.Outage != NotConfigured || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("got %v, want %s and %q", err, NotConfigured, test.want)
			}
			for _, hidden := range []string{token[4:9], secret[5:]} {
				if strings.Contains(err.Error(), hidden) {
					t.Errorf("the error holds the secret: %v", err)
				}
			}
		})
	}
}

// TestTransportRefusesSuchACredential: one that the SDK got from elsewhere, such as from a
// program that it ran.
func TestTransportRefusesSuchACredential(t *testing.T) {
	t.Parallel()
	workspace := startWorkspace(t)
	transport := NewTransport(5 * time.Second)
	t.Cleanup(transport.Close)
	for _, name := range []string{"Authorization", "X-Databricks-Azure-Sp-Management-Token"} {
		body := &closing{Reader: strings.NewReader("{}")}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, workspace.URL(), body)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set(name, "Bearer hunter2\n")
		resp, err := transport.RoundTrip(req)
		if err == nil {
			resp.Body.Close()
		}
		var outage *UnavailableError
		if !errors.As(err, &outage) || outage.Outage != NotConfigured || !errors.Is(err, errNoHeaderValue) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", name, err)
		}
		if !body.closed {
			t.Errorf("%s: the body was left open", name)
		}
	}
}

// closing is a body that knows whether it was closed.
type closing struct {
	io.Reader
	closed bool
}

func (c *closing) Close() error { c.closed = true; return nil }
