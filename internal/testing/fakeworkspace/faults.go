package fakeworkspace

import (
	"net/http"
	"slices"
	"strings"
	"sync"
)

// Faults switches faults on and off. It is safe to use while requests run.
type Faults struct {
	mu   sync.Mutex
	live []*Fault
}

// Fault is one fault, made by [Faults.Set].
type Fault struct {
	owner  *Faults
	prefix string
	method string
	exact  bool
	kind   Kind

	// owner.mu guards the fields below.
	limited  bool
	left     int
	hits     int
	released chan struct{}
}

// FaultOption narrows a fault.
type FaultOption func(*Fault)

// Times limits a fault to the next n matching requests.
func Times(n int) FaultOption { return func(f *Fault) { f.limited, f.left = true, n } }

// OnMethod limits a fault to one method.
func OnMethod(method string) FaultOption { return func(f *Fault) { f.method = method } }

// Exactly limits a fault to the path itself.
func Exactly() FaultOption { return func(f *Fault) { f.exact = true } }

func newFaults() *Faults { return &Faults{} }

// Set switches a fault on for every request whose believed path starts with prefix; an empty prefix
// matches every request. If several faults match a request, every [Latency] and [Hang] delays it, and of
// the others the one set first answers.
func (fs *Faults) Set(prefix string, kind Kind, opts ...FaultOption) *Fault {
	f := &Fault{owner: fs, prefix: prefix, kind: kind, released: make(chan struct{})}
	for _, opt := range opts {
		opt(f)
	}
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.live = append(fs.live, f)
	return f
}

// Clear switches every fault off and releases the requests that hang.
func (fs *Faults) Clear() {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	for _, f := range fs.live {
		close(f.released)
	}
	fs.live = nil
}

// Remove switches this fault off and releases the requests that hang in it.
func (f *Fault) Remove() {
	f.owner.mu.Lock()
	defer f.owner.mu.Unlock()
	if i := slices.Index(f.owner.live, f); i >= 0 {
		f.owner.live = slices.Delete(f.owner.live, i, i+1)
		close(f.released)
	}
}

// Hits returns how many requests it has matched.
func (f *Fault) Hits() int {
	f.owner.mu.Lock()
	defer f.owner.mu.Unlock()
	return f.hits
}

// all returns up to limit faults of one stage that match the request, and counts the hits.
func (fs *Faults) all(r *http.Request, limit int, stage func(Kind) bool) []*Fault {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	var taken []*Fault
	for _, f := range fs.live {
		if len(taken) == limit {
			break
		}
		if !strings.HasPrefix(r.URL.Path, f.prefix) || f.exact && r.URL.Path != f.prefix || (f.method != "" && f.method != r.Method) || !stage(f.kind) {
			continue
		}
		if f.limited {
			if f.left <= 0 {
				continue
			}
			f.left--
		}
		f.hits++
		taken = append(taken, f)
	}
	return taken
}

// first returns the first fault of a stage that matches the request, or nil.
func (fs *Faults) first(r *http.Request, stage func(Kind) bool) *Fault {
	if taken := fs.all(r, 1, stage); len(taken) > 0 {
		return taken[0]
	}
	return nil
}

// frontDoor applies the faults that need no caller, and reports whether one answered.
func (fs *Faults) frontDoor(rw http.ResponseWriter, r *http.Request) bool {
	for _, f := range fs.all(r, -1, func(k Kind) bool { return k.delay != nil }) {
		if !f.kind.delay(r, f.released) {
			panic(http.ErrAbortHandler) // the client is gone, or the workspace is closing
		}
	}
	f := fs.first(r, func(k Kind) bool { return k.reply != nil })
	if f == nil {
		return false
	}
	f.kind.reply(rw, r)
	return true
}

// credential refuses an admin's credential if a fault says so.
func (fs *Faults) credential(r *http.Request, c Caller) *refusal {
	if !c.Admin {
		return nil
	}
	if f := fs.first(r, func(k Kind) bool { return k.rejectAdmin != nil }); f != nil {
		return f.kind.rejectAdmin
	}
	return nil
}

// service applies the faults of the token endpoints.
func (fs *Faults) service(r *http.Request) *refusal {
	p := r.URL.Path
	if !strings.HasPrefix(p, "/api/2.0/token-management/") && !strings.HasPrefix(p, "/api/2.0/token/") {
		return nil
	}
	if f := fs.first(r, func(k Kind) bool { return k.behind != nil }); f != nil {
		return f.kind.behind(callOf(r))
	}
	return nil
}
