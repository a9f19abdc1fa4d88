package clients_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// Call is what a client is asked to do.
type Call string

const (
	// List is an ordinary call that needs the client's Scope. Every client has it, and it is
	// made with good and bad tokens.
	List Call = "list"
	// Stream shows the chunks "word1" to "word3" as they arrive. See [Client.Calls].
	Stream Call = "stream"
	// Upload sends the file at Target.Local, of Target.Size bytes, to the volume file
	// Target.Remote.
	Upload Call = "upload"
	// Download writes the volume file Target.Remote to the file at Target.Local.
	Download Call = "download"
)

// Client is a real client that the suite drives: one row of the tables.
type Client struct {
	// Name, as in the tables, and the Version that is pinned, or empty for whatever is
	// installed.
	Name, Version string
	// TLS: it insists on TLS. Port443: it also drops the port.
	TLS, Port443 bool
	// Scope is what List needs; empty if any scope will do. The token for a Stream has model-serving too, and that for
	// transfers has files. Wrong is a scope that does not suffice; empty means secrets.
	Scope, Wrong string
	// Works is in the output of a List that worked.
	Works string
	// Calls are those that it has beyond List. A client that has Stream either asks the
	// serving endpoint chat for three events, the first of which the suite releases and the
	// others only when the first is on the screen; or talks to an echo, and sends "word2"
	// only when "word1" came back.
	Calls []Call
	// Echo reports that transfers go to an echo: Upload and Download both send the file and
	// write what comes back to Target.Local.
	Echo bool
	// Find says why the client cannot run here and how to install it. Empty means it can run.
	// Nil is a client that is compiled in.
	Find func(t *testing.T) string
	// Run makes a call and returns when the client is done, or soon after ctx ends.
	Run func(ctx context.Context, at Target, call Call) Seen
	// Advice is for cases in which the client hides why it was refused.
	Advice []Advice
}

// Advice is what to do where the client hides something.
type Advice struct {
	// Cases that it is for.
	Cases []Case
	// Do says what to do, in one sentence of Markdown.
	Do string
	// Run is Client.Run for somebody who does that. What it shows must say why. Nil if there
	// is nothing that the user could do.
	Run func(ctx context.Context, at Target, call Call) Seen
	// Maker says what the client's maker could do so that nobody needs the advice, in one
	// sentence of Markdown.
	Maker string
}

// Seen is what the user sees at the end of a call.
type Seen struct {
	// Output is what the client shows beyond what [Target.Show] was told: for a library, the
	// text of the error.
	Output string
	// ExitCode is a command's exit code; for a library 0 if the call worked, or else 1.
	ExitCode int
	// Command reports whether ExitCode is one of a command that users run.
	Command bool
}

// Target is where a client goes, with which credential.
type Target struct {
	// URL has no slash at the end. Host is its host and port.
	URL, Host string
	Token     string
	// CA is a PEM file with the root certificate of the gateway, for TLS.
	CA string
	// WorkspaceID is what the workspace says its id is.
	WorkspaceID string
	// Folder is empty at the start of the call: the home directory of commands.
	Folder string
	// Local is a file of Size bytes whose SHA-256 in hex is Hash, and Remote a path such as
	// /Volumes/main/default/v/f at which there is none. For a Download it is the other way
	// round.
	Local, Remote, Hash string
	Size                int64

	screen *screen
	watch  *stopwatch
}

// Show shows the user something while the call runs.
func (at Target) Show(text string) { _, _ = at.screen.Write([]byte(text)) }

// Env is the environment for commands: a clean home directory, and the target.
func (at Target) Env() []string {
	env := []string{
		"HOME=" + at.Folder, "XDG_CONFIG_HOME=" + at.Folder, "DATABRICKS_CONFIG_FILE=" + filepath.Join(at.Folder, "databrickscfg"),
		"DATABRICKS_HOST=" + at.URL, "DATABRICKS_TOKEN=" + at.Token,
		"NODE_EXTRA_CA_CERTS=" + at.CA, "NO_COLOR=1",
		"LOCAL=" + at.Local, "REMOTE=" + at.Remote, "SIZE=" + itoa(at.Size), "HASH=" + at.Hash,
	}
	for _, name := range []string{"PATH", "TMPDIR", "SystemRoot"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// screen collects what the user sees, in order.
type screen struct {
	mu      sync.Mutex
	text    strings.Builder
	changed chan struct{}
}

func newScreen() *screen { return &screen{changed: make(chan struct{})} }

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text.Write(p)
	close(s.changed)
	s.changed = make(chan struct{})
	return len(p), nil
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// await waits until the user sees a text.
func (s *screen) await(ctx context.Context, what string) bool {
	for {
		s.mu.Lock()
		text, changed := s.text.String(), s.changed
		s.mu.Unlock()
		if strings.Contains(text, what) {
			return true
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return strings.Contains(s.String(), what)
		}
	}
}
