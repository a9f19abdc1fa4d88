package usage

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/scopes"
)

var noon = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

const day = 24 * time.Hour

// id returns the id of a token that exists nowhere else.
func id(name any) string {
	sum := sha256.Sum256(fmt.Append(nil, name))
	return hex.EncodeToString(sum[:])
}

// op makes an operation out of "name: scope scope". The words "*", "public" and
// "account" stand for themselves, and "optional" and "doubtful" may precede scopes.
func op(text string) scopes.Operation {
	name, needs, _ := strings.Cut(text, ": ")
	o := scopes.Operation{Method: "GET", Template: "/api/2.0/" + name, Name: name, Evidence: scopes.Documented}
	switch needs {
	case "*":
		o.Access = scopes.AnyScope
	case "public":
		o.Access = scopes.Public
	case "account":
		o.Access = scopes.AccountOnly
	case "unmapped":
		o.AnyOf, o.Evidence = []string{scopes.AllAPIs}, scopes.Unmapped
	default:
		needs, o.Optional = strings.CutPrefix(needs, "optional ")
		var doubtful bool
		if needs, doubtful = strings.CutPrefix(needs, "doubtful "); doubtful {
			o.Evidence = scopes.Inferred
		}
		o.AnyOf = strings.Fields(needs)
	}
	return o
}

func ops(texts ...string) []scopes.Operation {
	out := make([]scopes.Operation, len(texts))
	for i, text := range texts {
		out[i] = op(text)
	}
	return out
}

// allowed is a call that passed.
func allowed(token string, o *scopes.Operation, at time.Time) Call {
	key, ok := keyOf(token)
	if !ok {
		panic("no id: " + token)
	}
	return Call{TokenID: key, Operation: o, Allowed: true, Enforced: true, Reason: "permitted", At: at}
}

// clock is a time that stands still until it is set.
type clock struct{ time.Time }

func (c *clock) now() time.Time { return c.Time }

func newTestRecorder(t testing.TB, tokens, operations int) (*recorder, *clock) {
	t.Helper()
	c := &clock{noon}
	return newRecorder(Options{MaxTokens: tokens, MaxOperations: operations, Now: c.now}), c
}

// useOf makes a Use of an operation that passed, or of one that did not: a text that
// begins with "refused " was always refused, one with "would " in rehearsal.
func useOf(text string) Use {
	text, refused := strings.CutPrefix(text, "refused ")
	text, would := strings.CutPrefix(text, "would ")
	u := Use{Operation: op(text), Calls: 30, First: noon, Last: noon.Add(10 * day)}
	if refused {
		u.Denied, u.Reason = 30, "missing_scope"
	}
	if would {
		u.WouldDeny, u.Reason = 30, "missing_scope"
	}
	return u
}

// seenToken was seen for eleven days.
func seenToken(texts ...string) Token {
	t := Token{ID: id("t"), First: noon, Last: noon.Add(10 * day), ActiveDays: 8}
	for _, text := range texts {
		u := useOf(text)
		t.Uses = append(t.Uses, u)
		t.Calls += u.Calls
		if u.Operation.Optional {
			t.Optional += u.Denied
		} else {
			t.Denied += u.Denied
		}
		t.WouldDeny += u.WouldDeny
		if u.Operation.Unmapped() {
			t.Unmapped += u.Calls
		}
	}
	return t
}
