package tokens

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/databricks/databricks-sdk-go/apierr"
	"github.com/databricks/databricks-sdk-go/service/iam"
	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"
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
	// ownerRetry is when to ask again after a failure or for an unknown ID.
	ownerRetry = time.Minute

	// ownerRate is how many names are looked up a second, one at a time. SCIM is slow,
	// and workspaces were seen to refuse more than four concurrent requests.
	ownerRate = 2
)

// Owners looks up the names of token owners, by SCIM and in the background: the Token
// Management API returns only numeric IDs. It is safe for concurrent use, and starts
// its goroutine on first use.
type Owners struct {
	lookup func(ctx context.Context, id int64) (string, error)
	now    func() time.Time

	mu      sync.Mutex
	names   *lru.Cache[int64, ownerName]
	started bool

	queue   chan int64
	limiter *rate.Limiter
	ctx     context.Context
	cancel  context.CancelFunc
	done    chan struct{}
	close   func()
}

// ownerName is a cache entry, also while the name is queued.
type ownerName struct {
	name string    // "" while unknown
	due  time.Time // when to ask again
}

// NewOwners returns the owners of a workspace's tokens. The admin credential is the
// one for look-ups; it must be allowed to read users and service principals. The
// timeout bounds one request. Close it.
func NewOwners(workspace string, admin Admin, timeout time.Duration) *Owners {
	t := NewTransport(timeout)
	source := &scimSource{workspace: workspace, admin: admin, timeout: timeout, transport: t}
	return newOwners(source.name, t.Close, time.Now)
}

func newOwners(lookup func(context.Context, int64) (string, error), closing func(), now func() time.Time) *Owners {
	names, err := lru.New[int64, ownerName](maxOwners)
	if err != nil {
		panic("tokens: " + err.Error()) // the size is a constant
	}
	o := &Owners{
		lookup:  lookup,
		now:     now,
		names:   names,
		queue:   make(chan int64, maxOwnersQueued),
		limiter: rate.NewLimiter(ownerRate, ownerRate),
		done:    make(chan struct{}),
		close:   closing,
	}
	o.ctx, o.cancel = context.WithCancel(context.Background())
	return o
}

// Name returns the user name of a user or the application ID of a service principal,
// and "" while it is unknown. It never blocks.
func (o *Owners) Name(id int64) string {
	if id == 0 {
		return ""
	}
	now := o.now()
	o.mu.Lock()
	defer o.mu.Unlock()
	known, _ := o.names.Get(id)
	if now.Before(known.due) || o.ctx.Err() != nil {
		return known.name
	}
	if !o.started {
		o.started = true
		go o.work()
	}
	select {
	case o.queue <- id:
		// Don't queue it twice.
		known.due = now.Add(ownerRetry)
		o.names.Add(id, known)
	default:
	}
	return known.name
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
	for {
		select {
		case <-o.ctx.Done():
			return
		case id := <-o.queue:
			if o.limiter.Wait(o.ctx) != nil {
				return
			}
			name, err := o.lookup(o.ctx, id)
			o.remember(id, name, err)
		}
	}
}

func (o *Owners) remember(id int64, name string, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	known, _ := o.names.Peek(id)
	if err != nil || name == "" {
		// Keep the old name: it grants nothing.
		known.due = o.now().Add(ownerRetry)
	} else {
		known = ownerName{name: name, due: o.now().Add(ownerAge)}
	}
	o.names.Add(id, known)
}

// scimSource asks a workspace's SCIM API. It is not safe for concurrent use.
type scimSource struct {
	workspace string
	admin     Admin
	timeout   time.Duration
	transport *Transport

	users      *iam.UsersV2API // nil before the first request, and after a failure
	principals *iam.ServicePrincipalsV2API
}

func (s *scimSource) name(ctx context.Context, id int64) (string, error) {
	if s.users == nil {
		c, err := s.admin.newClient(s.workspace, s.timeout, s.transport)
		if err != nil {
			return "", err
		}
		s.users, s.principals = iam.NewUsersV2(c), iam.NewServicePrincipalsV2(c)
	}
	number := strconv.FormatInt(id, 10)
	user, err := s.users.Get(ctx, iam.GetUserRequest{Id: number})
	if err == nil {
		return user.UserName, nil
	}
	if errors.Is(err, apierr.ErrNotFound) {
		var principal *iam.ServicePrincipal
		if principal, err = s.principals.Get(ctx, iam.GetServicePrincipalRequest{Id: number}); err == nil {
			return principal.ApplicationId, nil
		}
	}
	if !errors.Is(err, apierr.ErrNotFound) {
		s.users = nil // the credential may have changed by the next request
	}
	return "", err
}
