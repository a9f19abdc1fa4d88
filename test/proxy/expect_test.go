package proxy

import (
	"io"
	"net/http"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/harness"
)

// A client that sends Expect: 100-continue is refused before it sends its body. This
// hangs unless the gateway closes the connection.
func TestExpectContinueRefused(t *testing.T) {
	w := harness.StartWorkspace(t)
	g := harness.StartGateway(t, w, "")
	token := harness.RevokedToken(w)
	for _, tt := range []struct{ name, framing string }{
		{"small", "Content-Length: 5"},
		{"large", "Content-Length: 10000000000"},
		{"chunked", "Transfer-Encoding: chunked"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w.Reset()
			c := g.Dial(t)
			c.Send(t, "PUT "+uploadPath+" HTTP/1.1", "Host: "+g.Listen, "Authorization: Bearer "+token,
				tt.framing, "Expect: 100-continue")
			answer := c.Answer(t, "PUT")
			answer.Refused(t, 403, "unknown_token")
			if !answer.Close {
				t.Error("the connection stays open, although a body or a request may follow")
			}
			if n := len(harness.Arrivals(w)); n != 0 {
				t.Errorf("%d requests reached the workspace", n)
			}
		})
	}
}

// untouched is a body that must not be read.
type untouched struct{ t *testing.T }

func (u untouched) Read([]byte) (int, error) {
	u.t.Error("the body was sent")
	return 0, io.EOF
}

func TestExpectContinueRefusedClient(t *testing.T) {
	w := harness.StartWorkspace(t)
	g := harness.StartGateway(t, w, "")
	client := harness.Client(t)
	client.Transport.(*http.Transport).ExpectContinueTimeout = harness.Patience
	req := harness.NewRequest(t, "PUT", g.URL+uploadPath, harness.RevokedToken(w), untouched{t}, "Expect", "100-continue")
	req.ContentLength = 1 << 30
	harness.Do(t, client, req).Refused(t, 403, "unknown_token")
}

func TestExpectContinueAllowed(t *testing.T) {
	w := harness.StartWorkspace(t)
	g := harness.StartGateway(t, w, "")
	token := harness.LegacyToken(w)
	c := g.Dial(t)
	c.Send(t, "PUT "+uploadPath+" HTTP/1.1", "Host: "+g.Listen, "Authorization: Bearer "+token,
		"Content-Length: 5", "Expect: 100-continue")
	answer := c.Answer(t, "PUT")
	if answer.StatusCode != http.StatusContinue {
		t.Fatalf("want 100 Continue, got %d", answer.StatusCode)
	}
	c.WriteText(t, "hello")
	// The workspace may send another 100.
	for answer.StatusCode == http.StatusContinue {
		answer = c.Answer(t, "PUT")
	}
	if answer.StatusCode != http.StatusNoContent {
		t.Fatalf("answered %d %s", answer.StatusCode, answer.Body)
	}
	if file, found := w.File(uploadName); !found || file.Size != 5 {
		t.Errorf("stored %+v", file)
	}
	c.Send(t, "HEAD "+uploadPath+" HTTP/1.1", "Host: "+g.Listen, "Authorization: Bearer "+token)
	if answer := c.Answer(t, "HEAD"); answer.StatusCode != http.StatusOK || answer.ContentLength != 5 {
		t.Errorf("next request on the connection: %d, length %d", answer.StatusCode, answer.ContentLength)
	}
}

// A client that sends its whole body before it reads the response still sees why it was
// refused.
func TestRefusalOfLargeBody(t *testing.T) {
	w := harness.StartWorkspace(t)
	g := harness.StartGateway(t, w, "")
	token := harness.RevokedToken(w)
	for _, tt := range []struct {
		name   string
		client *http.Client
		length int64
	}{
		{"http/1.1, length", harness.Client(t), 64 << 20},
		{"http/1.1, chunked", harness.Client(t), -1},
		{"http/2, length", harness.ClientH2C(t), 64 << 20},
		{"http/2, no length", harness.ClientH2C(t), -1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			content := io.LimitReader(zeros{}, 64<<20)
			req := harness.NewRequest(t, "PUT", g.URL+uploadPath, token, content)
			req.ContentLength = tt.length
			harness.Do(t, tt.client, req).Refused(t, 403, "unknown_token")
			if n := len(harness.Arrivals(w)); n != 0 {
				t.Errorf("%d requests reached the workspace", n)
			}
		})
	}
}

// A refusal keeps the connection open if the body is short, as almost all bodies of API
// calls are.
func TestRefusalKeepsConnection(t *testing.T) {
	w := harness.StartWorkspace(t)
	g := harness.StartGateway(t, w, "")
	c := g.Dial(t)
	for _, token := range []string{harness.RevokedToken(w), harness.LegacyToken(w)} {
		c.Send(t, "PUT "+uploadPath+" HTTP/1.1", "Host: "+g.Listen, "Authorization: Bearer "+token, "Content-Length: 5")
		c.WriteText(t, "hello")
		if answer := c.Answer(t, "PUT"); answer.Close {
			t.Errorf("a %d closes the connection", answer.StatusCode)
		}
	}
	if status := harness.OnlyArrival(t, w).Status; status != http.StatusNoContent {
		t.Errorf("the second request ended in %d", status)
	}
}

// zeros is a body of any length.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
