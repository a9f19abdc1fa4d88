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
	// maxOwners bounds how many names are remembered.
	maxOwners = 10_000
	// maxOwnersAsked bounds how many wait to be asked for; what is beyond is asked
	// for when it is next needed.
	maxOwnersAsked = 256

	// ownerAge is how long a name is used without asking again: names of users
	// hardly ever change.
	ownerAge = time.Hour
	// ownerRetry is how long after a failure, or after the workspace knew nobody of
	// the id, it is asked again.
	ownerRetry = time.Minute

	// ownerRate is how many names are asked for in a second, one at a time. SCIM is
	// slow, and workspaces were seen to refuse more than four requests at once.
	ownerRate = 2
)

// Owners finds out what the owners of tokens are called, by SCIM and in the
// background: Token Management tells only their numeric ids. It is safe for
// concurrent use, and starts nothing before it is first asked.
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

// ownerName is one answer, or the wait for it.
type ownerName struct {
	name string    // empty while unknown
	due  time.Time // when to ask again
}

// NewOwners returns the owners of a workspace's tokens. The admin credential is
// that of the look-ups; it must be allowed to read users and service principals.
func NewOwners(workspace string, admin Admin, timeout time.Duration) *Owners {
	t := newTransport(timeout)
	source := &scimSource{workspace: workspace, admin: admin, timeout: timeout, transport: t}
	return newOwners(source.name, t.close, time.Now)
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
		queue:   make(chan int64, maxOwnersAsked),
		limiter: rate.NewLimiter(ownerRate, ownerRate),
		done:    make(chan struct{}),
		close:   closing,
	}
	o.ctx, o.cancel = context.WithCancel(context.Background())
	return o
}

// Name returns the user name of a user, or the application id of a service
// principal, and an empty string while that is not known. It never waits.
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
		// Not again while it waits.
		known.due = now.Add(ownerRetry)
		o.names.Add(id, known)
	default:
	}
	return known.name
}

// Close ends what is under way.
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
		// What was known stays: a name is no permission.
		known.due = o.now().Add(ownerRetry)
	} else {
		known = ownerName{name: name, due: o.now().Add(ownerAge)}
	}
	o.names.Add(id, known)
}

// scimSource asks a workspace's SCIM API. It is used by one goroutine.
type scimSource struct {
	workspace string
	admin     Admin
	timeout   time.Duration
	transport *transport

	users      *iam.UsersV2API // nil until the first question, and after a failure
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
		s.users = nil // the credential may be another by the next time
	}
	return "", err
}
