package actions

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2"

	"github.com/scopegate/scopegate/internal/bulk"
)

// Verb is what is done to a token.
type Verb string

// The verbs.
const (
	// Narrow gives a token fewer scopes.
	Narrow Verb = "narrow"
	// Revoke deletes a token.
	Revoke Verb = "revoke"
)

// Plan is one change, as a person saw and confirmed it.
type Plan struct {
	// Workspace is the URL of the workspace.
	Workspace string
	Verb      Verb
	// Target is the token. It is changed only if it still has the Former scopes and the owner.
	Target bulk.Target
}

// Fingerprint is equal for plans that do the same.
func (p *Plan) Fingerprint() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %s %d %q %q", p.Workspace, p.Verb, p.Target.ID, p.Target.OwnerID, p.Target.Former, p.Target.To))
	return hex.EncodeToString(sum[:])
}

const (
	// maxPending is how many plans wait for a sign-in. One more takes the place of the oldest.
	maxPending = 100
	// Patience is how long a plan waits.
	Patience = 10 * time.Minute
)

// Options are those of a [Desk].
type Options struct {
	// ClientID is the id of an OAuth app connection of the account.
	ClientID string
	// ClientSecret returns its secret. It is nil for a public client.
	ClientSecret func() (string, error)
	// Scope is the scope to sign in for.
	Scope string
	// Audit is told of each attempt of a person who signed in.
	Audit func(*Attempt)
	// Now tells the time.
	Now func() time.Time
}

// Desk keeps what waits for a sign-in. It is safe for concurrent use.
type Desk struct {
	Options

	mu      sync.Mutex
	pending map[string]*pending // by state
}

// pending is a plan that waits.
type pending struct {
	plan     Plan
	browser  [sha256.Size]byte // of the key that its browser holds
	user     string
	redirect string
	endpoint oauth2.Endpoint
	verifier string
	code     string // of a sign-in that waits for one more confirmation
	proof    string // of that confirmation: only the page that asks has it
	expires  time.Time
}

// NewDesk returns a desk.
func NewDesk(options Options) *Desk {
	return &Desk{Options: options, pending: make(map[string]*pending)}
}

// Error says why nothing was changed, or that it is not known, and what to do.
type Error struct {
	// Status is that of HTTP to answer with.
	Status int
	Text   string
}

func (e *Error) Error() string { return e.Text }

func errorf(status int, format string, args ...any) *Error {
	return &Error{status, fmt.Sprintf(format, args...)}
}

// errNoPlan does not say which of them it is.
func errNoPlan() *Error {
	return errorf(http.StatusBadRequest, "nothing waits for this sign-in: it was used already, is older than %.0f minutes, began in another browser or as another user, or the gateway was restarted or reloaded. Nothing was changed now. Open the token's page and confirm again", Patience.Minutes())
}

// Started is a plan that waits for a sign-in.
type Started struct {
	// SignIn is where to sign in.
	SignIn *url.URL
	// State names the plan, and Key is a secret of the browser that began.
	State, Key string
}

// Begin remembers a plan, and says where to sign in. The workspace sends the browser back to the
// redirect URL. The user is who confirmed, as the page knows it; it may be empty. The error is an
// [*Error].
func (d *Desk) Begin(ctx context.Context, plan *Plan, redirect, user string) (*Started, error) {
	endpoint, err := discover(ctx, plan.Workspace)
	if err != nil {
		return nil, err
	}
	started := &Started{State: random(), Key: random()}
	p := &pending{
		plan: *plan, browser: sha256.Sum256([]byte(started.Key)), user: user, redirect: redirect, endpoint: endpoint,
		verifier: oauth2.GenerateVerifier(), expires: d.Now().Add(Patience),
	}
	client := d.client(p)
	if started.SignIn, err = url.Parse(client.AuthCodeURL(started.State, oauth2.S256ChallengeOption(p.verifier))); err != nil {
		return nil, badEndpoint()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.makeRoom()
	d.pending[started.State] = p
	return started, nil
}

// makeRoom drops plans that waited too long, and the oldest if there are too many. The caller holds
// the lock.
func (d *Desk) makeRoom() {
	oldest := ""
	for state, p := range d.pending {
		switch {
		case !d.Now().Before(p.expires):
			delete(d.pending, state)
		case oldest == "" || p.expires.Before(d.pending[oldest].expires):
			oldest = state
		}
	}
	if len(d.pending) >= maxPending {
		delete(d.pending, oldest)
	}
}

// Answer is what a browser came back with.
type Answer struct {
	State, Key, User string
	// Code is the authorization code. It is empty if it was held; Proof is then what [Desk.Hold]
	// returned.
	Code, Proof string
	// Refusal is the error that the workspace gave instead of a code.
	Refusal string
}

// Hold keeps the code of a plan that is to be confirmed once more before [Desk.Finish]. It returns
// the plan, and the proof that the confirmation must bring. The error is an [*Error].
func (d *Desk) Hold(answer Answer) (plan *Plan, proof string, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	p := d.pending[answer.State]
	if !p.fits(answer, d.Now()) || answer.Code == "" || p.code != "" && p.code != answer.Code {
		delete(d.pending, answer.State)
		return nil, "", errNoPlan()
	}
	if p.code == "" {
		p.code, p.proof = answer.Code, random()
	}
	held := p.plan
	return &held, p.proof, nil
}

// codeFor returns the code of an answer, or the one that was held if the answer brings the proof.
func (p *pending) codeFor(answer Answer) (string, error) {
	switch {
	case answer.Code != "":
		return answer.Code, nil
	case p.code != "" && subtle.ConstantTimeCompare([]byte(answer.Proof), []byte(p.proof)) == 1:
		return p.code, nil
	}
	return "", errNoPlan()
}

// take returns a plan and forgets it, even if the answer does not fit.
func (d *Desk) take(answer Answer) (*pending, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	p := d.pending[answer.State]
	delete(d.pending, answer.State)
	if !p.fits(answer, d.Now()) {
		return nil, errNoPlan()
	}
	return p, nil
}

// fits reports whether an answer comes from the browser and the user that began, in time. It works
// on nil.
func (p *pending) fits(answer Answer, now time.Time) bool {
	if p == nil {
		return false
	}
	browser := sha256.Sum256([]byte(answer.Key))
	return subtle.ConstantTimeCompare(browser[:], p.browser[:]) == 1 && answer.User == p.user && now.Before(p.expires)
}

// random returns 256 random bits in hexadecimal digits.
func random() string {
	bits := make([]byte, 32)
	_, _ = rand.Read(bits) // it never fails
	return hex.EncodeToString(bits)
}

// hostOf returns the host of a URL, for messages.
func hostOf(workspace string) string {
	_, host, _ := strings.Cut(workspace, "://")
	return host
}
