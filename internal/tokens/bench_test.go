package tokens

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/databricks/databricks-sdk-go/service/settings"
)

// crowd returns a resolver that knows n tokens, and the Authorization values of up to a
// hundred thousand of them. Their order is unrelated to where the facts lie in memory;
// the values themselves lie side by side, because a server has just read each of them.
func crowd(n int) (r *Resolver, headers [][]string) {
	r = newResolver(&scripted{answer: found}, Settings{Size: n, Rate: 1, Concurrency: 1, Timeout: time.Second})
	value := func(i int) string { return fmt.Sprintf("dapi%032x", uint64(i)*0x9e3779b97f4a7c15) }
	in, now := newInterner(), time.Now()
	for i := range n {
		id := IDOf(value(i))
		r.cache.remember(id, typicalInfo(id, i, in), now, 0)
	}
	order := rand.New(rand.NewPCG(1, 2)).Perm(n)
	for _, i := range order[:min(n, 100_000)] {
		headers = append(headers, []string{"Bearer " + value(i)})
	}
	return r, headers
}

// typicalInfo has a unique comment, one of a thousand creators and one of ten sets of
// scopes, none of which share memory, like after decoding JSON.
func typicalInfo(id ID, i int, in *interner) *Info {
	sets := [][]string{nil, {"all-apis"}, {"sql"}, {"jobs"}, {"sql", "unity-catalog"}, {"jobs", "clusters"},
		{"files"}, {"workspace"}, {"model-serving"}, {"sql", "jobs", "clusters", "unity-catalog", "workspace"}}
	var scopes []string
	for _, s := range sets[i%len(sets)] {
		scopes = append(scopes, string([]byte(s)))
	}
	return newInfo(id, &settings.TokenInfo{
		TokenId:           id.String(),
		Comment:           fmt.Sprintf("nightly load of table %d", i),
		CreatedByUsername: fmt.Sprintf("someone.%d@example.com", i%1000),
		CreatedById:       int64(i%1000) + 1,
		OwnerId:           int64(i%1000) + 1,
		WorkspaceId:       3141592653589793,
		CreationTime:      1_760_000_000_000 + int64(i),
		ExpiryTime:        1_960_000_000_000 + int64(i),
		Scopes:            scopes,
	}, in)
}

// counter is an observer as cheap as one for metrics should be.
type counter struct {
	noObserver
	hits atomic.Int64
}

func (c *counter) CacheUsed(string) { c.hits.Add(1) }

var crowds = []struct {
	name string
	n    int
}{{"10k", 10_000}, {"1M", 1_000_000}}

// benchmarkFresh lasts longer than a benchmark.
var benchmarkFresh = Freshness{TTL: time.Hour, NegativeTTL: time.Hour, UnknownExpiry: true}

// BenchmarkResolveHit measures what every request costs: shape check, SHA-256, cache
// read, age. Tokens come in random order, so that with a million of them most of the
// time goes to cache misses of the processor.
func BenchmarkResolveHit(b *testing.B) {
	for _, size := range crowds {
		r, headers := crowd(size.n)
		r.observer = &counter{}
		hit := func(b interface{ Fatal(...any) }, i int) {
			credential, err := ParseAuthorization(headers[i%len(headers)])
			if err != nil {
				b.Fatal(err)
			}
			if facts, err := r.Resolve(context.Background(), credential.ID, benchmarkFresh); err != nil || facts.Source != FromCache {
				b.Fatal(facts.Source, err)
			}
		}
		b.Run(size.name, func(b *testing.B) {
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				hit(b, i)
				i++
			}
		})
		b.Run(size.name+"/parallel", func(b *testing.B) {
			b.ReportAllocs()
			var start atomic.Int64
			b.RunParallel(func(pb *testing.PB) {
				for i := int(start.Add(1)) * 7919; pb.Next(); i++ {
					hit(b, i)
				}
			})
		})
		r.Close()
	}
}

// memoryPerToken returns the bytes of heap for each of n cached tokens.
func memoryPerToken(n int) float64 {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	r := newResolver(&scripted{}, Settings{Size: n, Rate: 1, Concurrency: 1, Timeout: time.Second})
	in, now := newInterner(), time.Now()
	for i := range n {
		id := IDOf(fmt.Sprint("dapi", i))
		r.cache.remember(id, typicalInfo(id, i, in), now, 0)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	known := r.Len()
	r.Close()
	return float64(after.HeapAlloc-before.HeapAlloc) / float64(known)
}

func BenchmarkMemoryPerToken(b *testing.B) {
	for b.Loop() {
		b.ReportMetric(memoryPerToken(1_000_000), "bytes/token")
	}
}

func TestMemoryPerToken(t *testing.T) {
	const limit = 700
	if got := memoryPerToken(100_000); got > limit {
		t.Errorf("a token takes %.0f bytes, the limit is %d", got, limit)
	} else {
		t.Logf("%.0f bytes per token", got)
	}
}
