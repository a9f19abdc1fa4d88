package caddymodule

import (
	"io"
	"net/http"
	"testing"
)

// A client that asks first is refused before it sends its body. Without care of
// ours this hangs: see waitsToSend.
func TestProxyExpectContinueRefused(t *testing.T) {
	w := startWorkspace(t)
	h := startGateway(t, w, "")
	token := revokedToken(w)
	for _, tt := range []struct{ name, framing string }{
		{"small", "Content-Length: 5"},
		{"large", "Content-Length: 10000000000"},
		{"chunked", "Transfer-Encoding: chunked"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w.Reset()
			c := h.dial(t)
			c.send(t, "PUT "+uploadPath+" HTTP/1.1", "Host: "+h.listen, "Authorization: Bearer "+token,
				tt.framing, "Expect: 100-continue")
			answer := c.answer(t, "PUT")
			answer.refused(t, 403, "unknown_token")
			if !answer.Close {
				t.Error("the connection goes on, and nobody knows whether a body or a request comes next")
			}
			if n := len(arrivals(w)); n != 0 {
				t.Errorf("%d requests arrived at the workspace", n)
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

func TestProxyExpectContinueRefusedClient(t *testing.T) {
	w := startWorkspace(t)
	h := startGateway(t, w, "")
	client := proxyClient(t)
	client.Transport.(*http.Transport).ExpectContinueTimeout = proxyPatience
	req := proxyRequest(t, "PUT", h.url+uploadPath, revokedToken(w), untouched{t}, "Expect", "100-continue")
	req.ContentLength = 1 << 30
	proxyDo(t, client, req).refused(t, 403, "unknown_token")
}

func TestProxyExpectContinueAllowed(t *testing.T) {
	w := startWorkspace(t)
	h := startGateway(t, w, "")
	token := legacyToken(w)
	c := h.dial(t)
	c.send(t, "PUT "+uploadPath+" HTTP/1.1", "Host: "+h.listen, "Authorization: Bearer "+token,
		"Content-Length: 5", "Expect: 100-continue")
	answer := c.answer(t, "PUT")
	if answer.StatusCode != http.StatusContinue {
		t.Fatalf("asked to go on, answered %d", answer.StatusCode)
	}
	c.write(t, "hello")
	// The workspace's own 100 may come too.
	for answer.StatusCode == http.StatusContinue {
		answer = c.answer(t, "PUT")
	}
	if answer.StatusCode != http.StatusNoContent {
		t.Fatalf("answered %d %s", answer.StatusCode, answer.body)
	}
	if file, found := w.File(uploadName); !found || file.Size != 5 {
		t.Errorf("stored %+v", file)
	}
	c.send(t, "HEAD "+uploadPath+" HTTP/1.1", "Host: "+h.listen, "Authorization: Bearer "+token)
	if answer := c.answer(t, "HEAD"); answer.StatusCode != http.StatusOK || answer.ContentLength != 5 {
		t.Errorf("next request on the connection: %d, length %d", answer.StatusCode, answer.ContentLength)
	}
}

// A client that does not ask, and does not look up before all is sent, still gets
// to see why it was refused.
func TestProxyRefusalOfLargeBody(t *testing.T) {
	w := startWorkspace(t)
	h := startGateway(t, w, "")
	token := revokedToken(w)
	for _, tt := range []struct {
		name   string
		client *http.Client
		length int64
	}{
		{"http/1.1, length", proxyClient(t), 64 << 20},
		{"http/1.1, chunked", proxyClient(t), -1},
		{"http/2, length", proxyClientH2C(t), 64 << 20},
		{"http/2, no length", proxyClientH2C(t), -1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			content := io.LimitReader(zeros{}, 64<<20)
			req := proxyRequest(t, "PUT", h.url+uploadPath, token, content)
			req.ContentLength = tt.length
			proxyDo(t, tt.client, req).refused(t, 403, "unknown_token")
			if n := len(arrivals(w)); n != 0 {
				t.Errorf("%d requests arrived at the workspace", n)
			}
		})
	}
}

// A refusal leaves the connection usable where the body is short, as those of
// almost all API calls are.
func TestProxyRefusalKeepsConnection(t *testing.T) {
	w := startWorkspace(t)
	h := startGateway(t, w, "")
	c := h.dial(t)
	for _, token := range []string{revokedToken(w), legacyToken(w)} {
		c.send(t, "PUT "+uploadPath+" HTTP/1.1", "Host: "+h.listen, "Authorization: Bearer "+token, "Content-Length: 5")
		c.write(t, "hello")
		if answer := c.answer(t, "PUT"); answer.Close {
			t.Errorf("a %d ends the connection", answer.StatusCode)
		}
	}
	if status := onlyArrival(t, w).Status; status != http.StatusNoContent {
		t.Errorf("the second request ended in %d", status)
	}
}

// zeros is a body of any length.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
