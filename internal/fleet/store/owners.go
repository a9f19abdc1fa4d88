package store

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	"github.com/scopegate/scopegate/internal/fleet/redis"
	"github.com/scopegate/scopegate/internal/fleet/seal"
	"github.com/scopegate/scopegate/internal/strictjson"
	"github.com/scopegate/scopegate/internal/tokens"
)

const (
	// labelOwners is that of the names of owners.
	labelOwners = "o"
	// ownerAge is how long a name is shared. Names hardly ever change.
	ownerAge = time.Hour
)

// owner is the name of an owner as it is kept.
type owner struct {
	Name string `json:"name"`
	AtMS int64  `json:"at_ms"`
}

// OwnersFrom returns a way to look up the names of owners that asks the others first, and
// shares what it finds.
func (s *Store) OwnersFrom(lookup func(context.Context, int64) (tokens.Principal, error)) func(context.Context, int64) (tokens.Principal, error) {
	return func(ctx context.Context, id int64) (tokens.Principal, error) {
		began := s.options.Log.Mark()
		if found, ok := s.findOwner(ctx, id); ok {
			return found, nil
		}
		found, err := lookup(ctx, id)
		if name, named := found.Name(); err == nil && named && s.options.Log.Admits(tokens.ID{}, []int64{id}, began, 0) {
			s.shareOwner(id, name)
		}
		return found, err
	}
}

func (s *Store) findOwner(ctx context.Context, id int64) (tokens.Principal, bool) {
	names := s.names(labelOwners, []byte(strconv.FormatInt(id, 10)))
	results, err := s.options.Conn.Do(ctx, "find", bounded(maxEntry, names...))
	if err != nil {
		return tokens.Principal{}, false
	}
	values, err := results[0].Array()
	if err != nil {
		return tokens.Principal{}, false
	}
	for i := range min(len(values), len(names)) {
		value, there, tooLarge := valueOf(values[i])
		if tooLarge {
			s.options.Observer.EntryRefused("too_large")
		}
		if !there {
			continue
		}
		var kept owner
		plain, err := s.options.Keys.Open(names[i], nil, value)
		if err != nil || strictjson.Unmarshal(plain, &kept) != nil {
			s.options.Observer.EntryRefused(seal.Kind(err))
			continue
		}
		if age := s.options.Now().Sub(time.UnixMilli(kept.AtMS)); age < ownerAge && age > -maxAhead {
			return tokens.NewPrincipal(id, kept.Name), true
		}
	}
	return tokens.Principal{}, false
}

func (s *Store) shareOwner(id int64, name string) {
	plain, err := json.Marshal(owner{name, s.options.Now().UnixMilli()})
	if err != nil {
		return
	}
	key := s.names(labelOwners, []byte(strconv.FormatInt(id, 10)))[0]
	sealed := s.options.Keys.Seal(key, nil, plain)
	s.soon(func() {
		_, _ = s.options.Conn.Do(s.ctx, "share", redis.Cmd("SET", key, sealed, "PX", ownerAge.Milliseconds()))
	})
}

// ForgetOwner makes the others look up the name of an owner again; 0 stands for all, whose
// names are used until they are an hour old.
func (s *Store) ForgetOwner(id int64) {
	keys := s.names(labelOwners, []byte(strconv.FormatInt(id, 10)))
	s.soon(func() {
		_, _ = s.options.Conn.Do(s.ctx, "share", redis.Cmd("DEL", keys))
	})
}
