package tokens

import (
	"context"
	"flag"
	"fmt"
	"time"
)

// runs runs all tests twice: as a single gateway, and as one of a fleet whose store is down,
// which must be the same.
type runs struct{ m interface{ Run() int } }

// storeDown means the second time.
var storeDown bool

func (r runs) Run() int {
	code := r.m.Run()
	for _, other := range []string{"test.bench", "test.fuzz", "test.list"} {
		if flag.Lookup(other).Value.String() != "" {
			return code
		}
	}
	storeDown = true
	fmt.Println("again, with a store that is down")
	return max(code, r.m.Run())
}

// newResolver is NewResolver, the second time with a store that is down.
func newResolver(service Service, s Settings, options ...Option) *Resolver {
	if storeDown {
		options = append([]Option{WithSharing(noFleet{})}, options...)
	}
	return NewResolver(service, s, options...)
}

// noFleet is a store that is down.
type noFleet struct{}

func (noFleet) Find(context.Context, ID, time.Time) (Answer, bool) { return Answer{}, false }

func (noFleet) FindMany(context.Context, []ID) ([]Answer, bool) { return nil, false }

func (noFleet) Begin(context.Context, ID, time.Time, bool) (Answer, bool, func()) {
	return Answer{}, false, func() {}
}

func (noFleet) Allow(context.Context, Lane) time.Duration { return 0 }

func (noFleet) Mark() Mark { return 0 }

func (noFleet) Share(Mark, ...Answer) {}

func (noFleet) LeadList(context.Context, time.Duration) bool { return true }

func (noFleet) Listed(Mark, time.Time) {}
