package tokens

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/databricks/databricks-sdk-go/apierr"
	"github.com/databricks/databricks-sdk-go/client"
	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"

	"github.com/scopegate/scopegate/internal/strictjson"
)

const (
	// maxOwners bounds the cache of names.
	maxOwners = 10_000
	// maxOwnersQueued bounds the queue; IDs that do not fit are queued when they are
	// next needed.
	maxOwnersQueued = 256

	// ownerAge is how long a name is used without asking again: user names hardly ever
	// change.
	ownerAge = time.Hour
	// ownerRetry is when to ask again after a failure or for an unknown ID, and the least
	// time between two questions because names are doubted.
	ownerRetry = time.Minute

	// ownerRate is how many names are looked up a second, one at a time. SCIM is slow,
	// and workspaces were seen to refuse more than four concurrent requests.
	ownerRate = 2
)

// Owners looks up the names of token owners, by SCIM and in the background: the Token
// Management API returns only numeric IDs. It is safe for concurrent use, and starts
// its goroutine on first use.
type Owners struct {
	lookup func(ctx context.Context, id int64) (Principal, error)
	now    func() time.Time

	mu      sync.Mutex
	names   *lru.Cache[int64, ownerName]
	changes int // how often names were forgotten
	doubted time.Time
	found   bool // the name of some owner was answered
	started bool

	queue   chan int64 // of IDs without a name
	again   chan int64 // of others, which can wait
	limiter *rate.Limiter
	ctx     context.Context
	cancel  context.CancelFunc
	done    chan struct{}
	close   func()
}

// ownerName is a cache entry, also while the name is queued.
type ownerName struct {
	owner Principal // without a name while that is unknown
	asked time.Time // when it was last queued
	due   time.Time // when to ask again

	answered time.Time // when it was last known whether the owner has left; zero before that
	gone     bool      // the owner had left then
}

// NewOwners returns the owners of a workspace's tokens. The admin credential is the
// one for look-ups; it must be allowed to read users and service principals. The
// timeout bounds one request. Close it.
func NewOwners(workspace string, admin Admin, timeout time.Duration) *Owners {
	return NewOwnersFrom(SCIM(workspace, admin, timeout))
}

// SCIM returns how [NewOwners] looks up one name. It is not safe for concurrent use. Its error
// is [ErrNoOwner] if there is no such owner, [ErrNoName] if the answer cannot be used, and
// [ErrInactive] beside the name of one who was deactivated. Call closing after the last use.
func SCIM(workspace string, admin Admin, timeout time.Duration) (
	lookup func(ctx context.Context, id int64) (Principal, error), closing func(),
) {
	t := NewTransport(timeout)
	source := &scimSource{workspace: workspace, admin: admin, timeout: timeout, transport: t}
	return source.owner, t.Close
}

// NewOwnersFrom returns owners whose names come from elsewhere: from an edge's authority, or
// from what gateways share. Lookup is called for one owner at a time; it returns [ErrNoName]
// if the owner is known to have no name, [ErrInactive] beside a name that holds all the same,
// and any other error while that cannot be found out.
// Closing is called at the end, unless it is nil. Close the owners.
func NewOwnersFrom(lookup func(ctx context.Context, id int64) (Principal, error), closing func()) *Owners {
	if closing == nil {
		closing = func() {}
	}
	return newOwners(lookup, closing, time.Now)
}

func newOwners(lookup func(context.Context, int64) (Principal, error), closing func(), now func() time.Time) *Owners {
	names, err := lru.New[int64, ownerName](maxOwners)
	if err != nil {
		panic("tokens: " + err.Error()) // the size is a constant
	}
	o := &Owners{
		lookup:  lookup,
		now:     now,
		names:   names,
		queue:   make(chan int64, maxOwnersQueued),
		again:   make(chan int64, maxOwnersQueued),
		limiter: rate.NewLimiter(ownerRate, ownerRate),
		done:    make(chan struct{}),
		close:   closing,
	}
	o.ctx, o.cancel = context.WithCancel(context.Background())
	return o
}

// Complete returns an owner with the name, if it is known: the user name of a user or the
// application ID of a service principal. It never blocks.
func (o *Owners) Complete(owner Principal) Principal {
	id, numbered := owner.ID()
	if _, named := owner.Name(); named || !numbered {
		return owner
	}
	now := o.now()
	o.mu.Lock()
	defer o.mu.Unlock()
	known, ok := o.names.Get(id)
	if !ok {
		known.owner = owner
	}
	doubted := !known.asked.After(o.doubted) && now.Sub(known.asked) >= ownerRetry
	if now.Before(known.due) && !doubted || o.ctx.Err() != nil {
		return known.owner
	}
	o.start()
	queue := o.queue
	if _, named := known.owner.Name(); named {
		queue = o.again
	}
	select {
	case queue <- id:
		// Don't queue it twice.
		known.asked, known.due = now, now.Add(ownerRetry)
		o.names.Add(id, known)
	default:
	}
	return known.owner
}

// start starts the goroutine. The caller holds the lock.
func (o *Owners) start() {
	if !o.started {
		o.started = true
		go o.work()
	}
}

// Forget forgets the name of an owner who may have another one now, and the answer of a
// look-up in progress.
func (o *Owners) Forget(id int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.changes++
	o.names.Remove(id)
}

// ForgetAll is [Owners.Forget] for all owners.
func (o *Owners) ForgetAll() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.changes++
	o.names.Purge()
}

// Doubt makes names be asked for again, where it is not certain that any was changed. They
// are used until there is an answer: a policy that matches by name refuses tokens of owners
// without one, and those who cause doubt must not be able to cause that.
func (o *Owners) Doubt() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.doubted = o.now()
}

// Close cancels the request in progress and stops the goroutine.
func (o *Owners) Close() {
	o.cancel()
	o.mu.Lock()
	started := o.started
	o.mu.Unlock()
	if started {
		<-o.done
	}
	o.close()
}

func (o *Owners) work() {
	defer close(o.done)
	for o.limiter.Wait(o.ctx) == nil {
		id, ok := o.next()
		if !ok {
			return
		}
		since := o.changesSoFar()
		owner, err := o.lookup(o.ctx, id)
		o.remember(id, owner, err, since)
	}
}

// next waits for an ID to look up. It is false at the end.
func (o *Owners) next() (id int64, ok bool) {
	select {
	case id := <-o.queue:
		return id, true
	default:
	}
	select {
	case <-o.ctx.Done():
		return 0, false
	case id := <-o.queue:
		return id, true
	case id := <-o.again:
		return id, true
	}
}

func (o *Owners) changesSoFar() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.changes
}

func (o *Owners) remember(id int64, owner Principal, err error, since int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.changes != since { // the answer may be the old name
		o.names.Remove(id)
		return
	}
	gone := errors.Is(err, ErrNoOwner) || errors.Is(err, ErrInactive)
	if errors.Is(err, ErrInactive) {
		err = nil // it has a name all the same
	}
	if _, named := owner.Name(); err == nil && (!named || owner.id != id) {
		err = ErrNoName
	}
	known, ok := o.names.Peek(id)
	if gone || err == nil {
		known.gone, known.answered = gone, o.now()
	}
	switch {
	case err == nil:
		o.found = true
		known.owner, known.due = owner, o.now().Add(ownerAge)
	case ok && !errors.Is(err, ErrNoName):
		known.due = o.now().Add(ownerRetry) // keep the old name while SCIM cannot be asked
	default:
		known.owner, known.due = NewPrincipal(id, ""), o.now().Add(ownerRetry)
	}
	o.names.Add(id, known)
}

// ErrNoName says that the answer was not the name of the owner who was asked for, or not
// a name that can be believed.
var ErrNoName = errors.New("the answer has no name of this owner")

// ErrNoOwner is an [ErrNoName] that says that the workspace has no such user and no such
// service principal.
var ErrNoOwner = fmt.Errorf("there is no such owner: %w", ErrNoName)

// ErrInactive comes with the name of an owner who was deactivated.
var ErrInactive = errors.New("the owner was deactivated")

// scimSource asks a workspace's SCIM API. It is not safe for concurrent use.
type scimSource struct {
	workspace string
	admin     Admin
	timeout   time.Duration
	transport *Transport

	client *client.DatabricksClient // nil before the first request, and after a failure
}

func (s *scimSource) owner(ctx context.Context, id int64) (owner Principal, err error) {
	if s.client == nil {
		if s.client, err = s.admin.newClient(s.workspace, s.timeout, s.transport); err != nil {
			return Principal{}, err
		}
	}
	answer, member, err := scimOwner(ctx, s.client, id)
	switch {
	case err == nil:
		return readOwner(answer, id, member)
	case errors.Is(err, apierr.ErrNotFound):
		return Principal{}, ErrNoOwner
	}
	s.client = nil // the credential may have changed by the next request
	return Principal{}, err
}

// readOwner reads a SCIM answer about the owner of an id, whose name is a member.
func readOwner(answer []byte, id int64, member string) (Principal, error) {
	var resource map[string]any
	if err := strictjson.Unmarshal(answer, &resource); err != nil {
		return Principal{}, ErrNoName
	}
	name, _ := resource[member].(string)
	owner := NewPrincipal(id, name)
	if _, named := owner.Name(); !named || resource["id"] != strconv.FormatInt(id, 10) {
		return Principal{}, ErrNoName
	}
	if active, said := resource["active"].(bool); said && !active {
		return owner, ErrInactive
	}
	return owner, nil
}
