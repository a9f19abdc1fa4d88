package store

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/scopegate/scopegate/internal/fleet"
	"github.com/scopegate/scopegate/internal/fleet/redis"
	"github.com/scopegate/scopegate/internal/fleet/seal"
	"github.com/scopegate/scopegate/internal/strictjson"
)

const (
	// beatEvery is how often a gateway says that it lives, and looks for news.
	beatEvery = 2 * time.Second
	// beatSoon is the same for a while after a change, while edges are behind.
	beatSoon = 100 * time.Millisecond
	soonFor  = 10 * time.Second
	// cleanEvery is how many beats there are to one that reads what all others say.
	cleanEvery = 15
	// goneAfter is when a gateway that said nothing counts as gone.
	goneAfter = 15 * time.Second
	// beatPatience bounds one beat.
	beatPatience = time.Second
	// maxMembers and maxEdges bound what is read, and maxMember the size of one.
	maxMembers = 10_000
	maxEdges   = 20_000
	maxMember  = 4 << 20
	// maxListed bounds the news of a list, which is an id and a time.
	maxListed = 1 << 10
)

// presence is what a gateway says of itself.
type presence struct {
	Member fleet.Member `json:"member"`
	Edges  []fleet.Edge `json:"edges,omitempty"`
}

func (s *Store) membersKey() string { return s.options.Prefix + "members" }
func (s *Store) listedKey() string  { return s.options.Prefix + "listed" }

// beat says that this gateway lives, and looks who else does and whether there is a new list.
func (s *Store) beat() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	var lately time.Time // when there was news
	due := time.Now()
	for {
		news := s.options.News()
		select {
		case <-s.ctx.Done():
			s.leave()
			return
		case <-news:
			lately = time.Now()
			if soon := lately.Add(beatSoon); soon.Before(due) { // the edges need a moment
				timer.Reset(beatSoon)
				due = soon
			}
			continue
		case <-timer.C:
		}
		wait := beatEvery
		if behind := s.beatOnce(rand.N(cleanEvery) == 0); behind && time.Since(lately) < soonFor {
			wait = beatSoon // whoever waits for the edges wants to know
		}
		timer.Reset(wait)
		due = time.Now().Add(wait)
	}
}

// leave says that this gateway is gone.
func (s *Store) leave() {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), beatPatience)
	defer cancel()
	_, _ = s.options.Conn.Long(ctx, "members", redis.Cmd("HDEL", s.membersKey(), s.id))
}

// beatOnce says that this gateway lives. It reads what the others say if it is asked to, and
// reports whether an edge of this gateway is behind.
func (s *Store) beatOnce(read bool) (behind bool) {
	edges := s.options.Edges()
	connected := 0
	for _, edge := range edges {
		if edge.Connected {
			connected++
			behind = behind || edge.Behind
		}
	}
	own := presence{Edges: edges, Member: fleet.Member{
		Name: s.options.Name, Version: s.options.Version, Generation: s.options.Log.Mark(), Seen: s.options.Now(), Edges: connected,
	}}
	plain, err := json.Marshal(own)
	if err != nil {
		return behind
	}
	sealed := s.options.Keys.Seal(s.membersKey(), []byte(s.id), plain)
	ctx, cancel := context.WithTimeout(s.ctx, beatPatience)
	defer cancel()
	results, err := s.options.Conn.Long(ctx, "members",
		redis.Cmd("HSET", s.membersKey(), s.id, sealed),
		redis.Cmd("HLEN", s.membersKey()),
		bounded(maxListed, s.listedKey()),
	)
	if err != nil {
		return behind
	}
	if redis.IsWrongType(results[0].Err()) { // nobody but us needs the name
		s.options.Observer.EntryRefused("corrupt")
		s.removeMembers(ctx, nil)
	}
	if count, err := results[1].Int(); err == nil && s.counted(int(count)) || read {
		s.readMembers(ctx)
	}
	if values, err := results[2].Array(); err == nil && len(values) > 0 {
		switch value, there, tooLarge := valueOf(values[0]); {
		case tooLarge:
			s.options.Observer.EntryRefused("too_large")
		case there:
			s.readListed(value)
		}
	}
	return behind
}

// readMembers reads who shares, and removes who is gone and what cannot be read: a gateway that
// it belongs to writes it again.
func (s *Store) readMembers(ctx context.Context) {
	results, err := s.options.Conn.Long(ctx, "members", boundedHash(maxMembers, maxMember, s.membersKey()))
	if err != nil {
		return
	}
	all, removed, err := fieldsOf(results[0])
	if err != nil {
		return
	}
	for range removed {
		s.options.Observer.EntryRefused("too_large")
	}
	if len(all) == 0 {
		return // this one is missing, so that the list is not whole
	}
	var members []fleet.Member
	var edges []fleet.Edge
	var gone []string
	for _, id := range slices.Sorted(maps.Keys(all)) {
		one, ok := s.presenceOf(id, all[id])
		if !ok || s.options.Now().Sub(one.Member.Seen) > goneAfter {
			gone = append(gone, id)
			continue
		}
		one.Member.Self = id == s.id // whatever it says of itself
		members = append(members, one.Member)
		edges = append(edges, one.Edges[:min(len(one.Edges), max(0, maxEdges-len(edges)))]...)
	}
	if len(gone) > 0 {
		s.removeMembers(ctx, gone)
	}
	slices.SortFunc(members, func(a, b fleet.Member) int { return cmp.Compare(a.Name, b.Name) })
	s.mu.Lock()
	defer s.mu.Unlock()
	s.members, s.edges = members, edges
	s.count, s.known = len(members), len(members)
}

// counted notes how many say that they share. It reports whether there are so many more than
// were known that they have to be looked at: anybody may have written them.
func (s *Store) counted(count int) (doubtful bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if count > 2*max(1, s.known) {
		return true
	}
	s.count = count
	return false
}

// removeMembers removes some, or what is in the place of all.
func (s *Store) removeMembers(ctx context.Context, ids []string) {
	remove := redis.Cmd("HDEL", s.membersKey(), ids)
	if ids == nil {
		remove = redis.Cmd("DEL", s.membersKey())
	}
	_, _ = s.options.Conn.Long(ctx, "members", remove)
}

func (s *Store) presenceOf(id, value string) (one presence, ok bool) {
	plain, err := s.options.Keys.Open(s.membersKey(), []byte(id), []byte(value))
	if err != nil || strictjson.Unmarshal(plain, &one) != nil {
		s.options.Observer.EntryRefused(seal.Kind(err))
		return one, false
	}
	return one, true
}

// Members returns the gateways that share, this one included, as of the last [Store.Refresh].
func (s *Store) Members() []fleet.Member {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.members)
}

// Edges returns the edges of all gateways that share, as of the last [Store.Refresh].
func (s *Store) Edges() []fleet.Edge {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.edges)
}

// Refresh looks at once how the others are.
func (s *Store) Refresh() { s.beatOnce(true) }

// LeadList implements [tokens.Sharing].
func (s *Store) LeadList(ctx context.Context, every time.Duration) bool {
	// A little less than the interval: the next list of the same gateway must not find its own
	// lease.
	px := max(every*9/10, time.Second).Milliseconds()
	results, err := s.options.Conn.Do(ctx, "list", redis.Cmd("SET", s.options.Prefix+"list", s.id, "NX", "PX", px))
	return err != nil || !results[0].IsNil()
}

// tellListed writes that a list was shared.
func (s *Store) tellListed(at time.Time) {
	sealed := s.options.Keys.Seal(s.listedKey(), nil, []byte(s.id+" "+strconv.FormatInt(at.UnixMilli(), 10)))
	ctx, cancel := context.WithTimeout(s.ctx, beatPatience)
	defer cancel()
	_, _ = s.options.Conn.Long(ctx, "list", redis.Cmd("SET", s.listedKey(), sealed, "PX", s.maxAge().Milliseconds()))
}

// readListed tells of a list that another gateway has shared, once.
func (s *Store) readListed(sealed []byte) {
	plain, err := s.options.Keys.Open(s.listedKey(), nil, sealed)
	if err != nil {
		s.options.Observer.EntryRefused(seal.Kind(err))
		return
	}
	id, text, _ := strings.Cut(string(plain), " ")
	ms, err := strconv.ParseInt(text, 10, 64)
	at := time.UnixMilli(ms)
	if err != nil || at.Sub(s.options.Now()) > maxAhead {
		s.options.Observer.EntryRefused("future")
		return
	}
	s.mu.Lock()
	fresh := ms > s.listed
	s.listed = max(s.listed, ms)
	s.mu.Unlock()
	if fresh && id != s.id {
		s.options.Listed(at)
	}
}
