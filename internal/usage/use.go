package usage

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/scopegate/scopegate/scopes"
)

// Use is one operation that a token was seen to call.
type Use struct {
	// Operation is the catalog's row at the time, without its source.
	Operation scopes.Operation
	// Calls counts all calls, Denied those that were refused, and WouldDeny those
	// whose refusal was only rehearsed.
	Calls, Denied, WouldDeny uint64
	First, Last              time.Time
	// Reason is that of the last denial, enforced or rehearsed.
	Reason string
	// Confirmed is how often the workspace's answers agreed with the row, whichever the
	// token. Reports and recommendations fill it in.
	Confirmed uint64
	// Policy, Option and Requirement name the rule behind a denial by a policy of the gateway:
	// its name, the option that refuses the operation, and what it requires. Callers fill
	// them in, as rules are not recorded.
	Policy, Option, Requirement string

	learned []string // alternatives that refusals named beside the row, as for Confirmed
}

// byLearned returns the use with what the operation needs according to refusals of the
// workspace, if the token does not have what the row lists, but that. It needs all that it
// has of what they named, because it is not known which of that was enough.
func (u *Use) byLearned(f *TokenFacts) (Use, bool) {
	if len(u.learned) == 0 || f.permits(&u.Operation) {
		return *u, false
	}
	needs := ""
	for _, alternative := range u.learned {
		switch one := (scopes.Operation{AnyOf: []string{alternative}}); {
		case !one.Permits(f.Scopes):
		case needs == "":
			needs = alternative
		default:
			needs = conjoin(needs, alternative)
		}
	}
	if needs == "" {
		return *u, false
	}
	learned := *u
	learned.Operation.Access, learned.Operation.AnyOf, learned.Operation.Evidence = scopes.ScopedAccess, []string{needs}, scopes.Observed
	learned.Confirmed = 0
	return learned, true
}

// Why says why the operation was denied: the reason, and the rule if it is known.
func (u *Use) Why() string {
	switch {
	case u.Policy != "":
		return fmt.Sprintf("%s by policy %s (%s), which %s", u.Reason, u.Policy, u.Option, u.Requirement)
	case u.Option != "":
		return fmt.Sprintf("%s by the option %s", u.Reason, u.Option)
	}
	return u.Reason
}

// Passed reports whether at least one call passed, so that a client may rely on it.
func (u *Use) Passed() bool { return u.Calls > u.Denied }

// operationJSON is the JSON form of an operation in reports. It shares its names with scopes
// explain.
type operationJSON struct {
	Operation string          `json:"operation"`
	Method    string          `json:"method"`
	Template  string          `json:"template"`
	AnyOf     []string        `json:"any_of"`
	Access    string          `json:"access"`
	Evidence  scopes.Evidence `json:"evidence,omitempty"`
	Optional  bool            `json:"optional,omitempty"`
}

func operationJSONOf(o *scopes.Operation) operationJSON {
	return operationJSON{o.Name, o.Method, o.Template, list(o.AnyOf), o.Access.String(), o.Evidence, o.Optional}
}

func (w *operationJSON) operation() (scopes.Operation, error) {
	access, err := parseAccess(w.Access)
	return scopes.Operation{Method: w.Method, Template: w.Template, AnyOf: none(w.AnyOf), Access: access, Evidence: w.Evidence, Name: w.Operation, Optional: w.Optional}, err
}

// useJSON is the JSON form of a Use.
type useJSON struct {
	operationJSON
	Calls     uint64    `json:"calls"`
	Denied    uint64    `json:"denied"`
	WouldDeny uint64    `json:"would_deny"`
	First     time.Time `json:"first_seen,omitzero"`
	Last      time.Time `json:"last_seen,omitzero"`
	Reason    string    `json:"reason,omitempty"`
	Confirmed uint64    `json:"confirmed_here,omitempty"`
	Policy    string    `json:"policy,omitempty"`
	Option    string    `json:"policy_option,omitempty"`
	Required  string    `json:"policy_asks,omitempty"`
}

// MarshalJSON puts the operation's fields next to the counts.
func (u Use) MarshalJSON() ([]byte, error) {
	return json.Marshal(useJSON{operationJSONOf(&u.Operation), u.Calls, u.Denied, u.WouldDeny, u.First, u.Last, u.Reason, u.Confirmed, u.Policy, u.Option, u.Requirement})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (u *Use) UnmarshalJSON(data []byte) error {
	var w useJSON
	if err := json.Unmarshal(data, &w); err != nil {
		return err
	}
	o, err := w.operation()
	if err != nil {
		return err
	}
	*u = Use{Operation: o, Calls: w.Calls, Denied: w.Denied, WouldDeny: w.WouldDeny, First: w.First, Last: w.Last, Reason: w.Reason, Confirmed: w.Confirmed, Policy: w.Policy, Option: w.Option, Requirement: w.Required}
	return nil
}

// parseAccess reads what Access.String returns.
func parseAccess(s string) (scopes.Access, error) {
	for _, a := range []scopes.Access{scopes.ScopedAccess, scopes.AnyScope, scopes.Public, scopes.AccountOnly} {
		if a.String() == s {
			return a, nil
		}
	}
	return 0, fmt.Errorf("unknown access %q", s)
}

func sortUses(uses []Use) { slices.SortFunc(uses, compareUses) }

// compareUses puts the most called operations first.
func compareUses(a, b Use) int {
	return cmp.Or(cmp.Compare(b.Calls, a.Calls), compareOperations(&a.Operation, &b.Operation))
}

// compareOperations orders rows, also those that differ only in what they need.
func compareOperations(a, b *scopes.Operation) int {
	return cmp.Or(scopes.Compare(*a, *b), cmp.Compare(a.Access, b.Access), slices.Compare(a.AnyOf, b.AnyOf), cmp.Compare(a.Evidence, b.Evidence))
}
