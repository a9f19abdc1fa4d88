package fakeworkspace

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/databricks/databricks-sdk-go/service/iam"
	"github.com/databricks/databricks-sdk-go/service/settings"
)

// TokenSpec describes a token to mint. The zero value is a legacy token of user@example.com: no scopes
// and no expiry.
type TokenSpec struct {
	// Owner is a user name, added to the workspace if new, or the application id of a service
	// principal. Default: user@example.com.
	Owner string
	// Creator is the user who created it; the default is the owner. On-behalf-of tokens are created by an
	// admin.
	Creator string
	Comment string
	// Scopes are empty for a legacy token.
	Scopes []string
	// Lifetime counts from creation. Zero means no expiry (-1 on the wire); a negative one has passed.
	Lifetime time.Duration
	// ExpiryTime, if set, overrides Lifetime.
	ExpiryTime time.Time
	// CreationTime defaults to now.
	CreationTime time.Time
	LastUsed     time.Time

	AutoscopeState iam.AutoscopeState
	InferredScopes []string
	BackfillScopes []string

	// Admin makes the owner a workspace admin.
	Admin bool
	// Suffix, if not zero, is the N of `dapi…-N`.
	Suffix int
	// Value is the token itself; the default is random. It must start with `dapi` to count as a token.
	Value string
	// WorkspaceID is the workspace of the token; the default is this one.
	WorkspaceID int64
}

// Token is a minted token.
type Token struct {
	Value string
	Info  settings.TokenInfo
}

// Mint makes a token. It never fails: quotas apply to clients only.
func (w *Workspace) Mint(spec TokenSpec) Token {
	owner := w.people.ensure(cmp.Or(spec.Owner, "user@example.com"), spec.Admin)
	creator := w.people.ensure(cmp.Or(spec.Creator, owner.UserName), false)
	created := spec.CreationTime
	if created.IsZero() {
		created = w.now()
	}
	expiry := int64(-1)
	switch {
	case !spec.ExpiryTime.IsZero():
		expiry = spec.ExpiryTime.UnixMilli()
	case spec.Lifetime != 0:
		expiry = created.Add(spec.Lifetime).UnixMilli()
	}
	value := spec.Value
	if value == "" {
		value = "dapi" + randomHex(16)
		if spec.Suffix != 0 {
			value += "-" + strconv.Itoa(spec.Suffix)
		}
	}
	info := settings.TokenInfo{
		TokenId:           tokenID(value),
		Comment:           spec.Comment,
		CreationTime:      created.UnixMilli(),
		ExpiryTime:        expiry,
		CreatedById:       creator.ID,
		CreatedByUsername: creator.UserName,
		OwnerId:           owner.ID,
		WorkspaceId:       cmp.Or(spec.WorkspaceID, w.workspaceID),
		Scopes:            slices.Clone(spec.Scopes),
		AutoscopeState:    spec.AutoscopeState,
		InferredScopes:    slices.Clone(spec.InferredScopes),
		BackfillScopes:    slices.Clone(spec.BackfillScopes),
	}
	if !spec.LastUsed.IsZero() {
		info.LastUsedDay = day(spec.LastUsed)
	}
	w.tokens.put(info)
	return Token{Value: value, Info: info}
}

// Revoke deletes a token and reports whether it existed.
func (w *Workspace) Revoke(tokenID string) bool { return w.tokens.remove(tokenID) }

// SetScopes replaces the scopes of a token, as a PATCH would. Without scopes it becomes a legacy token.
func (w *Workspace) SetScopes(tokenID string, scopes ...string) bool {
	return w.Update(tokenID, func(t *settings.TokenInfo) { t.Scopes = slices.Clone(scopes) })
}

// Update changes a token, except for its id. The function must not keep the pointer.
func (w *Workspace) Update(tokenID string, change func(*settings.TokenInfo)) bool {
	_, found := w.tokens.update(tokenID, change)
	return found
}

// Info returns what the workspace knows about a token, expired or not.
func (w *Workspace) Info(tokenID string) (settings.TokenInfo, bool) {
	rec, found := w.tokens.get(tokenID)
	return rec.info, found
}

func expired(info settings.TokenInfo, now time.Time) bool {
	return info.ExpiryTime > 0 && now.UnixMilli() >= info.ExpiryTime
}

// day returns the start of the day in milliseconds: last use is recorded by day.
func day(t time.Time) int64 { return t.UTC().Truncate(24 * time.Hour).UnixMilli() }

// tokenRecord is one token. Its slices are replaced rather than modified, so that copies are safe.
type tokenRecord struct {
	info settings.TokenInfo
	seq  uint64
}

type tokenStore struct {
	mu   sync.RWMutex
	byID map[string]tokenRecord
	seq  uint64
}

func newTokenStore() *tokenStore { return &tokenStore{byID: make(map[string]tokenRecord)} }

func (s *tokenStore) put(info settings.TokenInfo) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seq++
	s.byID[info.TokenId] = tokenRecord{info: info, seq: s.seq}
}

func (s *tokenStore) get(id string) (tokenRecord, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	rec, found := s.byID[id]
	return rec, found
}

// use is get, and records the day of use.
func (s *tokenStore) use(id string, now time.Time) (tokenRecord, bool) {
	rec, found := s.get(id)
	if today := day(now); found && rec.info.LastUsedDay != today {
		s.update(id, func(t *settings.TokenInfo) { t.LastUsedDay = today })
	}
	return rec, found
}

func (s *tokenStore) update(id string, change func(*settings.TokenInfo)) (settings.TokenInfo, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	rec, found := s.byID[id]
	if !found {
		return settings.TokenInfo{}, false
	}
	change(&rec.info)
	rec.info.TokenId = id
	s.byID[id] = rec
	return rec.info, true
}

func (s *tokenStore) remove(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, found := s.byID[id]
	delete(s.byID, id)
	return found
}

// list returns every token for which keep returns true, oldest first.
func (s *tokenStore) list(keep func(settings.TokenInfo) bool) []settings.TokenInfo {
	s.mu.RLock()
	records := slices.Collect(maps.Values(s.byID))
	s.mu.RUnlock()
	slices.SortFunc(records, func(a, b tokenRecord) int { return cmp.Compare(a.seq, b.seq) })
	infos := make([]settings.TokenInfo, 0, len(records))
	for _, rec := range records {
		if keep(rec.info) {
			infos = append(infos, rec.info)
		}
	}
	return infos
}
