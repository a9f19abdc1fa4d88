package main

import (
	"bufio"
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
)

// The benchmark starts itself again in these roles. Each is a separate process, so that
// its CPU time can be measured.
const (
	partUpstream   = "upstream"
	partAuthorizer = "authorizer"
	partReceiver   = "receiver"
	partSecure     = "upstream-tls"
)

// parts lists the roles. As the only argument, one starts the program in that role.
var parts = []string{partUpstream, partAuthorizer, partReceiver, partSecure}

// introduction is the first line that a part prints.
type introduction struct {
	Address    string   `json:"address"`
	AdminToken string   `json:"admin_token,omitempty"` // for the embedded workspace
	Tokens     []string `json:"tokens,omitempty"`
	CA         string   `json:"ca,omitempty"` // in PEM, of the upstream with TLS
}

// helper is a running part.
type helper struct {
	*process
	introduction
	stdin io.Closer
}

func startHelper(part string) (*helper, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("starting the %s: %w", part, err)
	}
	cmd := exec.Command(self, part)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = childAttributes()
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("starting the %s: %w", part, err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("starting the %s: %w", part, err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting the %s: %w", part, err)
	}
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	h := &helper{process: watch(part, "", cmd), stdin: stdin}
	if err == nil {
		err = json.Unmarshal(line, &h.introduction)
	}
	if err != nil {
		h.stop()
		return nil, fmt.Errorf("starting the %s: %w", part, err)
	}
	return h, nil
}

// runPart runs a child of the benchmark. It ends with its parent, because that closes
// the child's standard input.
func runPart(part string) error {
	var handler http.Handler
	var says introduction
	switch part {
	case partUpstream:
		handler, says = newUpstream()
	case partAuthorizer:
		handler = http.HandlerFunc(authorize)
	case partReceiver:
		handler = new(receiver)
	case partSecure:
		handler, says = newUpstream()
		return serveTLS(handler, says)
	default:
		return fmt.Errorf("unknown part %q", part)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute, ErrorLog: log.New(io.Discard, "", 0)}
	says.Address = listener.Addr().String()
	if err := json.NewEncoder(os.Stdout).Encode(says); err != nil {
		return err
	}
	go func() {
		untilParentEnds()
		_ = server.Shutdown(context.Background())
		os.Exit(0)
	}()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// serveTLS serves HTTP/1.1 and HTTP/2 with a certificate for the loopback interface.
func serveTLS(handler http.Handler, says introduction) error {
	server := httptest.NewUnstartedServer(handler)
	server.EnableHTTP2 = true
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	says.Address = server.Listener.Addr().String()
	says.CA = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	if err := json.NewEncoder(os.Stdout).Encode(says); err != nil {
		return err
	}
	untilParentEnds()
	return nil
}

// untilParentEnds waits until standard input is closed.
func untilParentEnds() { _, _ = io.Copy(io.Discard, os.Stdin) }

// tokenManagement is the API that a gateway uses to look up tokens.
const tokenManagement = "/api/2.0/token-management/"

// ownAPI is the benchmark's own API of the upstream.
const (
	ownAPI      = "/bench/"
	tokenPath   = ownAPI + "token"
	heldPath    = ownAPI + "held"
	releasePath = ownAPI + "release"
	holdQuery   = "bench_hold=1"
)

// newUpstream returns a workspace that answers every call with the same kilobyte of
// JSON. It answers look-ups of tokens as a real workspace would.
func newUpstream() (http.Handler, introduction) {
	workspace := fakeworkspace.New(fakeworkspace.WithMaxRequestLog(1))
	says := introduction{AdminToken: workspace.AdminToken()}
	own := &upstreamAPI{grants: make(map[string][]string), release: make(chan struct{})}
	for i := range tokenCount {
		token := workspace.Mint(fakeworkspace.TokenSpec{
			Owner:    fmt.Sprintf("someone.%d@example.com", i%200),
			Comment:  fmt.Sprintf("nightly load of table %d", i),
			Scopes:   grantOf(i),
			Lifetime: 90 * 24 * time.Hour,
		}).Value
		says.Tokens = append(says.Tokens, token)
		own.grants["Bearer "+token] = heldBy(i)
	}
	answer := []byte(`{"items":[` + strings.Repeat(`{"id":"01ef9a2c7b3d","state":"RUNNING"},`, 24))
	answer = append(answer, strings.Repeat(" ", answerSize-len(answer)-len(`{}]}`))...)
	answer = append(answer, `{}]}`...)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, tokenManagement) {
			workspace.ServeHTTP(w, r)
			return
		}
		if strings.HasPrefix(r.URL.Path, ownAPI) {
			own.ServeHTTP(w, r)
			return
		}
		if strings.HasSuffix(r.URL.RawQuery, holdQuery) {
			own.hold(r.Context())
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Databricks-Org-Id", "3141592653589793")
		w.Header().Set("X-Request-Id", "7f6f0f5e-6b0a-4f0e-9d0c-1c2f6c1d7a10")
		_, _ = w.Write(answer) // fails if the client is gone
	}), says
}

// upstreamAPI says what tokens may do, to programs that ask for it in a simpler way than the
// gateway, and holds requests until they are released.
type upstreamAPI struct {
	grants map[string][]string // scopes by the header Authorization

	held    atomic.Int64
	mu      sync.Mutex
	release chan struct{} // closed to release what is held
}

// subject is what the API says about a token.
type subject struct {
	ID     string   `json:"id"`
	Scopes []string `json:"scopes"`
}

func (u *upstreamAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case tokenPath:
		held, ok := u.grants[r.Header.Get("Authorization")]
		if !ok {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(subject{"someone@example.com", held}) // fails if the client is gone
	case heldPath:
		fmt.Fprint(w, u.held.Load())
	case releasePath:
		u.mu.Lock()
		defer u.mu.Unlock()
		close(u.release)
		u.release = make(chan struct{})
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// hold waits until the request is released.
func (u *upstreamAPI) hold(ctx context.Context) {
	u.mu.Lock()
	released := u.release
	u.mu.Unlock()
	u.held.Add(1)
	defer u.held.Add(-1)
	select {
	case <-released:
	case <-ctx.Done():
	}
}

// authorize is the cheapest possible authorization service: it reads the credential and
// allows everything.
func authorize(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") == "" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	w.Header().Set("X-User", "someone@example.com")
	w.WriteHeader(http.StatusOK)
}

// receiver accepts OTLP over HTTP, discards it and reports how much arrived.
type receiver struct{ batches, bytes atomic.Int64 }

func (c *receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet {
		fmt.Fprintf(w, "%d %d", c.batches.Load(), c.bytes.Load())
		return
	}
	n, err := io.Copy(io.Discard, r.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	c.batches.Add(1)
	c.bytes.Add(n)
	// An empty message means success.
	w.Header().Set("Content-Type", "application/x-protobuf")
}
