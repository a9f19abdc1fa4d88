package usage

import (
	"crypto/sha256"
	"time"
)

// The scopes by which a request was judged may be as old as the time that facts are kept:
// meanwhile the token's owner may have changed them at the workspace, which then judged by
// others than the gateway. What an answer says about a row counts only if the token had
// the scopes before and after the request. Once that is proven of one token, further answers
// that say the same only raise a count, and need no proof.

const (
	// maxProofs is how many different answers about one row are remembered as proven.
	maxProofs = 256
	// maxClaims is how many different agreements about one row wait for proof, and
	// claimTime how long one may keep out another.
	maxClaims = 64
	claimTime = 10 * time.Minute
)

// proofs remembers which answers about a row were proven, by [Answer.key].
type proofs struct {
	proven map[uint64]struct{}
	claims map[uint64]claim
}

// claim is an agreement of which it is not known yet what the token held.
type claim struct {
	token [sha256.Size]byte
	at    time.Time // when the answer was there
}

func (p *proofs) has(key uint64) bool {
	_, ok := p.proven[key]
	return ok
}

func (p *proofs) add(key uint64) {
	if p.proven == nil || len(p.proven) >= maxProofs {
		p.proven = make(map[uint64]struct{})
	}
	p.proven[key] = struct{}{}
	delete(p.claims, key)
}

// claim notes an answer that is not certain, and reports whether it is proven now: the same
// token made the same claim, and the workspace was asked for its scopes in between.
func (p *proofs) claim(a *Answer, now time.Time) bool {
	key := a.key()
	known, ok := p.claims[key]
	switch {
	case ok && known.token == a.Token && !a.KnownAt.Before(known.at):
		return true
	case ok && (known.token == a.Token || now.Sub(known.at) < claimTime):
		return false
	case p.claims == nil || !ok && len(p.claims) >= maxClaims:
		p.claims = make(map[uint64]claim)
	}
	p.claims[key] = claim{a.Token, now}
	return false
}
