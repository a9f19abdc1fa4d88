package store

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/hex"
	"math"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/scopegate/scopegate/internal/fleet"
	"github.com/scopegate/scopegate/internal/fleet/changelog"
	"github.com/scopegate/scopegate/internal/fleet/redis"
	"github.com/scopegate/scopegate/internal/fleet/seal"
	"github.com/scopegate/scopegate/internal/testing/redistest"
	"github.com/scopegate/scopegate/internal/tokens"
)

// refusals counts what is not believed.
type refusals struct {
	fleet.NoObserver
	mu    sync.Mutex
	kinds map[string]int
}

func (r *refusals) EntryRefused(kind string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.kinds[kind]++
}

func (r *refusals) of(kind string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.kinds[kind]
}

// StoreAsked counts what the store has not answered in time, as where the machine is busy.
func (r *refusals) StoreAsked(_, result string, _ time.Duration) {
	if result == "timeout" || result == "down" || result == "error" {
		r.EntryRefused("unanswered")
	}
}

// gateway is one that shares.
type gateway struct {
	*Store
	log     *changelog.Stream
	conn    *redis.Conn
	refused *refusals
}

type setting struct {
	workspace, user string
	keys            string // one letter for each
	now             func() time.Time
	rate            int
	patience        time.Duration // default: a busy machine is no reason for a failure
}

func join(t testing.TB, server *redistest.Server, s setting) *gateway {
	t.Helper()
	if s.workspace == "" {
		s.workspace = "https://one.example.com"
	}
	if s.keys == "" {
		s.keys = "a"
	}
	if s.now == nil {
		s.now = time.Now
	}
	var texts []string
	for _, key := range []byte(s.keys) {
		texts = append(texts, strings.Repeat(hex.EncodeToString([]byte{key}), 32))
	}
	keys, err := seal.ReadKeys(texts)
	if err != nil {
		t.Fatal(err)
	}
	g := &gateway{refused: &refusals{kinds: make(map[string]int)}}
	options := redis.Options{Addresses: []string{server.Addr}, Observer: g.refused, Logger: zap.NewNop, Patience: cmp.Or(s.patience, 5*time.Second)}
	if s.user != "" {
		options.Username, options.Password = s.user, func() (string, error) { return "change-me", nil }
	}
	g.conn = redis.Open(options)
	prefix := Prefix(s.workspace)
	g.log = changelog.OpenStream(changelog.StreamOptions{Conn: g.conn, Prefix: prefix, Keys: keys, Apply: func(fleet.Change) {}, Gap: func() {}, Observer: g.refused})
	g.Store = Open(Options{
		Conn: g.conn, Keys: keys, Log: g.log, Prefix: prefix, MaxAge: time.Hour, Rate: max(s.rate, 10), LookupTimeout: 2 * time.Second,
		Name: "gateway", Listed: func(time.Time) {}, Edges: func() []fleet.Edge { return nil }, News: g.log.Wait, Observer: g.refused, Now: s.now,
	})
	t.Cleanup(func() { g.Close(); g.log.Close(); g.conn.Close() })
	eventually(t, "the log is read", func() bool { return g.log.Admits(tokens.IDOf("unheard of"), []int64{1, 1}, math.MaxUint64, 0) })
	return g
}

func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

func factsOf(name string, at time.Time, scopes ...string) tokens.Answer {
	id := tokens.IDOf(name)
	return tokens.Answer{ID: id, At: at, Info: &tokens.Info{
		ID: id, Owner: tokens.NewPrincipal(7, "secret-owner@example.com"), Creator: tokens.NewPrincipal(8, "secret-creator@example.com"),
		Scopes: scopes, Comment: "secret comment", Expires: tokens.NeverExpires,
	}}
}

func (g *gateway) finds(name string) bool {
	_, ok := g.Find(context.Background(), tokens.IDOf(name), time.Time{})
	return ok
}

func do(t testing.TB, g *gateway, words ...string) redis.Reply {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	results, err := g.conn.Long(ctx, "", redis.Cmd(words[0], words[1:]))
	if err != nil {
		t.Fatalf("%v: %v", words, err)
	}
	return results[0]
}

// TestLease: of many gateways that meet a cold token at once, one looks it up.
func TestLease(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	var gateways []*gateway
	for range 5 {
		gateways = append(gateways, join(t, server, setting{}))
	}
	unanswered := func() (n int) {
		for _, g := range gateways {
			n += g.refused.of("unanswered")
		}
		return n
	}
	judged := 0
	for round := range 20 {
		name, before := "token "+string(rune('a'+round)), unanswered()
		var lookups atomic.Int32
		var all sync.WaitGroup
		for i := range 20 {
			g := gateways[i%len(gateways)]
			all.Go(func() {
				found, answered, end := g.Begin(t.Context(), tokens.IDOf(name), time.Time{}, true)
				if answered {
					if found.Info == nil || found.ID != tokens.IDOf(name) {
						t.Errorf("found %v", found)
					}
					return
				}
				lookups.Add(1)
				g.Share(g.Mark(), factsOf(name, time.Now(), "sql"))
				end()
			})
		}
		all.Wait()
		if unanswered() > before { // whoever gets no answer goes on alone
			continue
		}
		if judged++; lookups.Load() != 1 {
			t.Errorf("round %d: %d look-ups", round, lookups.Load())
		}
	}
	if judged == 0 {
		t.Error("the store was too slow in all rounds")
	}
}

// TestLeaseOfTheDead: whoever took a lease and died keeps others waiting no longer than a look-up
// may take.
func TestLeaseOfTheDead(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	a, b := join(t, server, setting{}), join(t, server, setting{})
	if _, answered, end := a.Begin(t.Context(), tokens.IDOf("one"), time.Time{}, true); answered || end == nil {
		t.Fatal("no lease")
	}
	if _, answered, end := b.Begin(t.Context(), tokens.IDOf("one"), time.Time{}, false); answered || end != nil {
		t.Error("an impatient caller got a lease that another one has")
	}
	if _, answered, end := b.Begin(t.Context(), tokens.IDOf("one"), time.Time{}, true); answered || end == nil {
		t.Error("the lease of the dead never ends")
	}
}

// TestTampering: what somebody with access to the store makes of it is not believed.
func TestTampering(t *testing.T) {
	t.Parallel()
	const script = `local v = redis.call('GET', KEYS[1]) `
	for name, c := range map[string]struct {
		tamper func(t *testing.T, g *gateway, one, two string)
		kind   string
	}{
		"two are swapped": {func(t *testing.T, g *gateway, one, two string) { do(t, g, "COPY", two, one, "REPLACE") }, "corrupt"},
		"cut": {func(t *testing.T, g *gateway, one, _ string) {
			do(t, g, "EVAL", script+`redis.call('SET', KEYS[1], string.sub(v, 1, -2))`, "1", one)
		}, "corrupt"},
		"nothing": {func(t *testing.T, g *gateway, one, _ string) { do(t, g, "SET", one, "") }, "corrupt"},
		"text": {func(t *testing.T, g *gateway, one, _ string) {
			do(t, g, "SET", one, `{"token":{"scopes":["all-apis"]}}`)
		}, "corrupt"},
		"a later generation": {func(t *testing.T, g *gateway, one, _ string) {
			do(t, g, "EVAL", script+`redis.call('SET', KEYS[1], string.rep(string.char(127), 8) .. string.sub(v, 9))`, "1", one)
		}, "corrupt"},
		"another epoch": {func(t *testing.T, g *gateway, one, _ string) {
			do(t, g, "EVAL", script+`redis.call('SET', KEYS[1], string.sub(v, 1, 8) .. string.rep(string.char(1), 8) .. string.sub(v, 17))`, "1", one)
		}, "corrupt"},
		"another version": {func(t *testing.T, g *gateway, one, _ string) {
			do(t, g, "EVAL", script+`redis.call('SET', KEYS[1], string.sub(v, 1, 16) .. '\2' .. string.sub(v, 18))`, "1", one)
		}, "corrupt"},
		"a megabyte": {func(t *testing.T, g *gateway, one, _ string) { do(t, g, "SET", one, strings.Repeat("x", 1<<20)) }, "too_large"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t)
			a, b := join(t, server, setting{}), join(t, server, setting{})
			a.Share(a.Mark(), factsOf("one", time.Now(), "sql"))
			a.Share(a.Mark(), factsOf("two", time.Now(), "all-apis"))
			eventually(t, "both are shared", func() bool { return b.finds("one") && b.finds("two") })
			id1, id2 := tokens.IDOf("one"), tokens.IDOf("two")
			eventually(t, "it is counted as "+c.kind, func() bool {
				// Again, if the machine was too busy to answer in time.
				c.tamper(t, a, a.names(labelFacts, id1[:])[0], a.names(labelFacts, id2[:])[0])
				if b.finds("one") {
					t.Fatal("it is believed")
				}
				return b.refused.of(c.kind) > 0
			})
		})
	}
}

// TestNotBelieved: entries that are genuine, and not to be believed.
func TestNotBelieved(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	a, b := join(t, server, setting{}), join(t, server, setting{})
	name := func(of string) string { id := tokens.IDOf(of); return a.names(labelFacts, id[:])[0] }

	t.Run("rolled back", func(t *testing.T) {
		a.Share(a.Mark(), factsOf("one", time.Now().Add(-time.Minute), "all-apis"))
		eventually(t, "the old one is shared", func() bool { return a.finds("one") })
		do(t, a, "COPY", name("one"), "scopegate:kept")
		a.Share(a.Mark(), factsOf("one", time.Now(), "sql"))
		eventually(t, "the new one is shared", func() bool {
			found, ok := b.Find(t.Context(), tokens.IDOf("one"), time.Time{})
			return ok && found.Info.Scopes[0] == "sql"
		})
		do(t, a, "COPY", "scopegate:kept", name("one"), "REPLACE")
		if b.finds("one") || b.refused.of("rolled_back") == 0 {
			t.Errorf("it is believed, or not counted: %v", b.refused.kinds)
		}
	})
	t.Run("before a change", func(t *testing.T) {
		a.Share(a.Mark(), factsOf("two", time.Now(), "sql"))
		eventually(t, "it is shared", func() bool { return b.finds("two") })
		at := a.log.Publish(fleet.Change{Kind: fleet.TokenChanged, Token: tokens.IDOf("two")})
		eventually(t, "b has applied it", func() bool { return b.Mark() >= tokens.Mark(at) })
		if a.finds("two") || b.finds("two") {
			t.Error("it is believed after the token was changed")
		}
	})
	t.Run("what found a change", func(t *testing.T) {
		mark := a.Mark()
		answer := factsOf("three", time.Now(), "sql")
		answer.Changed = true
		a.Share(mark, answer)
		eventually(t, "it is believed", func() bool { return a.finds("three") && b.finds("three") && b.Mark() > mark })
	})
	t.Run("of the future", func(t *testing.T) {
		ahead := join(t, server, setting{now: func() time.Time { return time.Now().Add(time.Minute) }})
		ahead.Share(ahead.Mark(), factsOf("four", time.Now().Add(time.Minute), "sql"))
		eventually(t, "it is refused", func() bool { return !b.finds("four") && b.refused.of("future") > 0 })
	})
	t.Run("of another workspace", func(t *testing.T) {
		other := join(t, server, setting{workspace: "https://two.example.com"})
		other.Share(other.Mark(), factsOf("five", time.Now(), "sql"))
		eventually(t, "it is shared", func() bool { return other.finds("five") })
		id := tokens.IDOf("five")
		do(t, a, "COPY", other.names(labelFacts, id[:])[0], name("five"))
		if b.finds("five") {
			t.Error("it is believed")
		}
	})
}

// TestRotation: while a key is replaced, gateways with either order of keys find each other's.
func TestRotation(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	before, after := join(t, server, setting{keys: "ab"}), join(t, server, setting{keys: "ba"})
	before.Share(before.Mark(), factsOf("one", time.Now(), "sql"))
	after.Share(after.Mark(), factsOf("two", time.Now(), "sql"))
	eventually(t, "each finds the other's", func() bool { return after.finds("one") && before.finds("two") })
	gone := join(t, server, setting{keys: "b"})
	if gone.finds("one") || !gone.finds("two") {
		t.Error("the old key still opens, or the new one does not")
	}
}

// TestBudget: all gateways together start no more look-ups than one may.
func TestBudget(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	var gateways []*gateway
	for range 3 {
		gateways = append(gateways, join(t, server, setting{rate: 20}))
	}
	eventually(t, "the store is up", func() bool { up, _, _ := gateways[2].conn.Up(); return up })
	began, taken := time.Now(), 0
	for i := 0; time.Since(began) < time.Second; i++ {
		if gateways[i%3].Allow(t.Context(), tokens.First) == 0 {
			taken++
		}
	}
	// A burst of each lane, and a second of all.
	if most := 20 + 20 + 6; taken > most || taken < 10 {
		t.Errorf("%d look-ups in a second, want 10 to %d", taken, most)
	}
}

// TestDump: what the server holds tells nothing of tokens and owners.
func TestDump(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	g := join(t, server, setting{})
	g.Share(g.Mark(), factsOf("one", time.Now(), "secret-scope"))
	changed := factsOf("two", time.Now(), "secret-scope")
	changed.Changed = true
	g.Share(g.Mark(), changed)
	_, _, _ = g.Begin(t.Context(), tokens.IDOf("three"), time.Time{}, true)
	if err := g.UsageStore().Save(t.Context(), "databricks_scopes/usage/secret/one.json", []byte("secret usage")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "all is shared", func() bool { return g.finds("one") && g.finds("two") })
	names, err := do(t, g, "KEYS", "*").Array()
	if err != nil || len(names) < 5 {
		t.Fatalf("%v, %v", names, err)
	}
	var dump bytes.Buffer
	for _, reply := range names {
		name, _ := reply.Text()
		value, _ := do(t, g, "DUMP", name).Text()
		dump.WriteString(name + value)
	}
	for _, name := range []string{"one", "two", "three"} {
		id := tokens.IDOf(name)
		for _, form := range []string{string(id[:]), id.String(), strings.ToUpper(id.String()), base64.StdEncoding.EncodeToString(id[:]), base64.RawURLEncoding.EncodeToString(id[:])} {
			if strings.Contains(dump.String(), form) {
				t.Errorf("the dump has the id of %s", name)
			}
		}
	}
	if strings.Contains(dump.String(), "secret") {
		t.Error("the dump has a scope, an owner, a comment or usage")
	}
}

// TestUser: the user of the guide may do what gateways do, and nothing else.
func TestUser(t *testing.T) {
	t.Parallel()
	file, err := os.Open("testdata/acl.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	server := redistest.Start(t)
	admin := join(t, server, setting{})
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if words := strings.Fields(lines.Text()); len(words) > 0 && words[0] == "user" {
			if err := do(t, admin, append([]string{"ACL", "SETUSER"}, words[1:]...)...).Err(); err != nil {
				t.Fatal(err)
			}
		}
	}
	a, b := join(t, server, setting{user: "scopegate"}), join(t, server, setting{user: "scopegate"})
	if _, answered, end := a.Begin(t.Context(), tokens.IDOf("one"), time.Time{}, true); answered || end == nil {
		t.Error("no lease")
	} else {
		a.Share(a.Mark(), factsOf("one", time.Now(), "sql"))
		end()
	}
	eventually(t, "it is shared", func() bool { return b.finds("one") })
	if at := a.log.Publish(fleet.Change{Kind: fleet.AllChanged}); at == 0 {
		t.Error("a change is not published")
	}
	if a.Allow(t.Context(), tokens.Known) != 0 || !a.LeadList(t.Context(), time.Minute) || b.LeadList(t.Context(), time.Minute) {
		t.Error("budget or list")
	}
	eventually(t, "both are members", func() bool { a.Refresh(); return len(a.Members()) >= 2 })
	usage := a.UsageStore()
	if err := usage.Save(t.Context(), "p/one.json", []byte("1")); err != nil {
		t.Error(err)
	}
	if keys, err := b.UsageStore().List(t.Context(), "p"); err != nil || len(keys) != 1 {
		t.Errorf("%v, %v", keys, err)
	}
	if err := usage.Lock(t.Context(), "p/lock"); err != nil {
		t.Error(err)
	}
	if err := usage.Unlock(t.Context(), "p/lock"); err != nil {
		t.Error(err)
	}
	if err := usage.Delete(t.Context(), "p/one.json"); err != nil {
		t.Error(err)
	}
	for _, words := range [][]string{
		{"KEYS", "*"}, {"CONFIG", "GET", "*"}, {"FLUSHALL"}, {"ACL", "LIST"}, {"SHUTDOWN"}, {"GET", "other"}, {"SET", "other", "1"},
		{"CLIENT", "LIST"}, {"DEBUG", "SLEEP", "0"}, {"EVAL", "return redis.call('GET', 'other')", "0"}, {"SCAN", "0"}, {"PUBLISH", "x", "y"}, {"REPLICAOF", "NO", "ONE"},
	} {
		if err := do(t, a, words...).Err(); err == nil {
			t.Errorf("the user may %v", words)
		}
	}
}

// TestPaused: a store that hangs keeps nobody waiting, and what is asked goes on alone.
func TestPaused(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	g := join(t, server, setting{patience: redis.Patience})
	g.Share(g.Mark(), factsOf("one", time.Now(), "sql"))
	eventually(t, "it is shared", func() bool { return g.finds("one") })
	server.Pause()
	began, ctx := time.Now(), g.Patience(t.Context())
	_, found := g.Find(ctx, tokens.IDOf("one"), time.Time{})
	_, answered, end := g.Begin(ctx, tokens.IDOf("one"), time.Time{}, true)
	wait := g.Allow(ctx, tokens.Known)
	took := time.Since(began)
	if found || answered || end == nil || wait != 0 {
		t.Errorf("found %t, answered %t, wait %s", found, answered, wait)
	}
	if took > redis.Patience+450*time.Millisecond { // slack for a busy machine
		t.Errorf("it took %s", took)
	}
	server.Resume()
	eventually(t, "it is found again", func() bool { return g.finds("one") })
}
