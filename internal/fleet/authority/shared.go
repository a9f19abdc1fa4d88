package authority

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"slices"
	"sync"
	"time"
)

const (
	// MinSharedToken is the length of the shortest shared token that is accepted, in bytes:
	// what can be guessed must not let anybody in.
	MinSharedToken = 32
	// maxSharedTokens bounds the shared tokens, each of which every request is compared to.
	maxSharedTokens = 16
	// sharedAge is how long shared tokens are used without being read again.
	sharedAge = 3 * time.Second
	// sharedGrace is how long they are used while they cannot be read, as in the middle of a
	// rotation.
	sharedGrace = 30 * time.Second
)

// CheckSharedToken says why a token would not be accepted, without quoting it.
func CheckSharedToken(token string) error {
	if len(token) < MinSharedToken {
		return fmt.Errorf("a token that edges share has at least %d characters, got %d; make one with: openssl rand -hex 32", MinSharedToken, len(token))
	}
	return nil
}

// sharedTokens are the hashes of the tokens that edges share. They are read again every few
// seconds, so that rotation takes effect.
type sharedTokens struct {
	read func() ([]string, error)
	now  func() time.Time

	reading sync.Mutex // held while they are read
	mu      sync.Mutex // guards the following
	hashes  [][sha256.Size]byte
	readAt  time.Time // when they were last read
	triedAt time.Time
}

// accepts compares a hash to all that are accepted, in the same time whatever it is.
func (s *sharedTokens) accepts(hash [sha256.Size]byte) bool {
	found := 0
	for _, accepted := range s.current() {
		found |= subtle.ConstantTimeCompare(hash[:], accepted[:])
	}
	return found == 1
}

func (s *sharedTokens) current() [][sha256.Size]byte {
	if hashes, fresh := s.cached(); fresh {
		return hashes
	}
	// One request reads them, and should that take long, no other waits for it.
	if !s.reading.TryLock() {
		hashes, _ := s.cached()
		return hashes
	}
	defer s.reading.Unlock()
	if hashes, fresh := s.cached(); fresh {
		return hashes
	}
	now := s.now()
	values, err := s.read()
	s.mu.Lock()
	s.triedAt = now
	if err == nil {
		s.hashes, s.readAt = hashesOf(values), now
	}
	s.mu.Unlock()
	hashes, _ := s.cached()
	return hashes
}

// cached returns what was read, nil if that is too old, and whether that need not be read
// again yet.
func (s *sharedTokens) cached() (hashes [][sha256.Size]byte, fresh bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	fresh = !s.triedAt.IsZero() && now.Sub(s.triedAt) < sharedAge
	if now.Sub(s.readAt) < sharedGrace {
		hashes = s.hashes
	}
	return hashes, fresh
}

func hashesOf(values []string) [][sha256.Size]byte {
	hashes := make([][sha256.Size]byte, 0, len(values))
	for _, value := range values {
		if hash := sha256.Sum256([]byte(value)); CheckSharedToken(value) == nil && !slices.Contains(hashes, hash) && len(hashes) < maxSharedTokens {
			hashes = append(hashes, hash)
		}
	}
	return hashes
}
