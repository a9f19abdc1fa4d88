package clients_test

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Case is a situation that every client is put into: one column of the overview.
type Case string

const (
	rightScope   Case = "right scope"
	wrongScope   Case = "wrong scope"
	unknownToken Case = "unknown token"
	expiredToken Case = "expired token"
	adminOutage  Case = "admin outage"
	streaming    Case = "streaming"
	upload       Case = "120 MB up"
	download     Case = "120 MB down"
)

// cases in the order of the tables.
var cases = []Case{rightScope, wrongScope, unknownToken, expiredToken, adminOutage, streaming, upload, download}

// call is what a client does in the case.
func (c Case) call() Call {
	switch c {
	case streaming:
		return Stream
	case upload:
		return Upload
	case download:
		return Download
	default:
		return List
	}
}

// refused reports whether the gateway refuses the request of the case.
func (c Case) refused() bool {
	return c == wrongScope || c == unknownToken || c == expiredToken || c == adminOutage
}

func (c Client) wrong() string { return cmp.Or(c.Wrong, "secrets") }

// quick is how long a call may take that does not wait. Only an outage makes clients wait;
// in other cases a busy machine does.
func (c Case) quick() time.Duration {
	if c == adminOutage {
		return 4 * time.Second
	}
	return 20 * time.Second
}

// has reports whether the client can be put into a case.
func (c Client) has(tried Case) bool {
	if tried == wrongScope && c.Scope == "" {
		return false
	}
	return tried.call() == List || slices.Contains(c.Calls, tried.call())
}

// outcome is what came of a case.
type outcome struct {
	Seen
	// took is the time until the client gave up, cut whether the suite ended the call. A call
	// that took less than quick is not worth a word.
	took, quick time.Duration
	cut         bool
	// problem says what is wrong with a call that should have worked.
	problem string
}

// try puts a client into a case. Run is the client's, or an advice's.
func (r *rig) try(t *testing.T, client Client, c Case, run func(context.Context, Target, Call) Seen) outcome {
	t.Helper()
	at := r.target(t, client, c)
	limit := patience
	switch {
	case c.refused() && *waitLong:
		limit = 20 * time.Minute
	case c.refused():
		limit = silence
	}
	if c == streaming {
		r.streams.Lock() // the workspace has one gate for all of its streams
		defer r.streams.Unlock()
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	check := r.watch(ctx, client, c, at)
	at.watch = startWatch(limit, cancel)
	o := outcome{quick: c.quick()}
	o.Seen = run(ctx, at, c.call())
	o.took, o.cut = at.watch.stop(), ctx.Err() != nil
	cancel()   // nothing needs to wait for the client any longer
	if o.cut { // what the client says of that is not what its user would have seen
		o.Output = ""
	}
	o.Output = at.screen.String() + o.Output
	if !c.refused() {
		o.problem = cmp.Or(check(), o.failure())
		if c == rightScope && o.problem == "" && !strings.Contains(o.Output, client.Works) {
			o.problem = fmt.Sprintf("%q is not in the output", client.Works)
		}
	}
	return o
}

func (o outcome) failure() string {
	if o.ExitCode != 0 {
		return "exit code " + strconv.Itoa(o.ExitCode)
	}
	return ""
}

// target makes the place of one call.
func (r *rig) target(t *testing.T, client Client, c Case) Target {
	t.Helper()
	base := r.site(client, c)
	address, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	at := Target{
		URL: base, Host: address.Host, Token: r.token(client, c), CA: r.ca, Folder: t.TempDir(),
		WorkspaceID: itoa(r.well.WorkspaceID()), Remote: downloadPath, Size: transferSize, Hash: r.hash, screen: newScreen(),
	}
	if c == download || client.Echo {
		at.Local = filepath.Join(at.Folder, "download")
	} else {
		at.Local, at.Remote = r.upload, "/Volumes/main/default/v/"+filepath.Base(filepath.Dir(at.Folder))+"-"+filepath.Base(at.Folder)
	}
	return at
}

// watch looks at what happens beside the client during a call that should work. What it
// returns says, after the call, what was wrong.
func (r *rig) watch(ctx context.Context, client Client, c Case, at Target) (problem func() string) {
	switch {
	case c == streaming:
		return r.watchStream(ctx, at)
	case c == upload && !client.Echo:
		return func() string {
			file, found := r.well.File(at.Remote)
			if !found || file.Size != at.Size || file.SHA256 != at.Hash {
				return fmt.Sprintf("the workspace received %d bytes of %d, found: %v, same hash: %v", file.Size, at.Size, found, file.SHA256 == at.Hash)
			}
			return ""
		}
	case c == upload, c == download:
		return func() string {
			file, err := os.Open(at.Local)
			if err != nil {
				return err.Error()
			}
			defer file.Close()
			sum := sha256.New()
			n, err := io.Copy(sum, file)
			if err != nil || n != at.Size || hex.EncodeToString(sum.Sum(nil)) != at.Hash {
				return fmt.Sprintf("the client wrote %d bytes of %d (%v), same hash: %v", n, at.Size, err, hex.EncodeToString(sum.Sum(nil)) == at.Hash)
			}
			return ""
		}
	default:
		return func() string { return "" }
	}
}

// watchStream lets the workspace send the rest of a stream only when the user has seen its
// first word.
func (r *rig) watchStream(ctx context.Context, at Target) (problem func() string) {
	gate := r.well.HoldEvents()
	seen := make(chan bool, 1)
	go func() {
		// An echo takes no event.
		go func() { _ = gate.Next(ctx) }()
		seen <- at.screen.await(ctx, "word1")
		gate.Open()
	}()
	return func() string {
		defer gate.Open()
		switch {
		case !<-seen:
			return "the first word did not arrive before the workspace sent the second"
		case !strings.Contains(at.screen.String(), "word3"):
			return "the stream did not arrive whole"
		default:
			return ""
		}
	}
}
