package native

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/usage"
	"github.com/scopegate/scopegate/scopes"
)

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

const workspace = "https://w.example.com"

var (
	etl  = Principal{42, ServicePrincipal, "9e107d9d-372b-4f86-8a2b-0c1d2e3f4a5b"}
	anna = Principal{7, User, "anna@example.com"}
)

// op makes an operation of a text: a method, a path and what it needs. "any" is any scope.
func op(text string) scopes.Operation {
	method, rest, _ := strings.Cut(text, " ")
	path, needs, _ := strings.Cut(rest, " ")
	o := scopes.Operation{Method: method, Template: path, Name: method + path, Evidence: scopes.Documented}
	switch needs {
	case "any":
		o.Access = scopes.AnyScope
	case "public":
		o.Access = scopes.Public
	case "account":
		o.Access = scopes.AccountOnly
	case "unmapped":
		o.AnyOf, o.Evidence = []string{scopes.AllAPIs}, scopes.Unmapped
	default:
		needs, doubtful := strings.CutPrefix(needs, "doubtful ")
		if doubtful {
			o.Evidence = scopes.Inferred
		}
		o.AnyOf = strings.Fields(needs)
	}
	return o
}

// tokenID returns the id of a token by a digit.
func tokenID(digit string) string { return strings.Repeat(digit, 64) }

// subject is a token with held scopes that was seen to call operations.
func subject(t testing.TB, digit string, owner Principal, held []string, operations ...scopes.Operation) Subject {
	t.Helper()
	token := usage.Token{ID: tokenID(digit), OwnerID: owner.ID, First: noon.AddDate(0, 0, -10), Last: noon, ActiveDays: 8}
	for _, o := range operations {
		u := usage.Use{Operation: o, Calls: 30, First: token.First, Last: token.Last}
		if o.Access == scopes.ScopedAccess && len(held) > 0 && !o.Permits(held) {
			u.WouldDeny, u.Reason = 30, "missing_scope"
		}
		token.Uses = append(token.Uses, u)
		token.Calls += u.Calls
	}
	state := usage.State{Since: noon.AddDate(0, 0, -20), Tokens: []usage.Token{token}}
	r, err := state.Recommend(token.ID, usage.TokenFacts{Scopes: held}, 0, noon)
	if err != nil {
		t.Fatal(err)
	}
	r.Workspace = workspace
	return Subject{Recommendation: throughJSON(t, &r), Seen: token.Uses, Owner: owner}
}

// throughJSON is a recommendation as a gateway sends it.
func throughJSON(t testing.TB, r *usage.Recommendation) *usage.Recommendation {
	t.Helper()
	data, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	sent := new(usage.Recommendation)
	if err := json.Unmarshal(data, sent); err != nil {
		t.Fatal(err)
	}
	return sent
}

func build(t testing.TB, options Options, subjects ...Subject) *Document {
	t.Helper()
	d, err := Build(subjects, options)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// rulesOf writes the rules of a document on a line.
func rulesOf(d *Document) string {
	ingress := d.policy.Ingress
	if ingress == nil {
		ingress = d.policy.IngressDryRun
	}
	var parts []string
	for i, rules := range [][]publicRule{ingress.PublicAccess.DenyRules, ingress.PublicAccess.AllowRules} {
		for _, rule := range rules {
			part := []string{"deny", "allow"}[i]
			if api := rule.Destination.WorkspaceApi; api != nil {
				part += " " + strings.Join(api.Scopes, ",")
				if len(api.ExcludedScopes) > 0 {
					part += "except " + strings.Join(api.ExcludedScopes, ",")
				}
				if api.ScopeQualifier == readOnly {
					part += " read"
				}
			}
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, "; ")
}

func TestRules(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, held  string
		seen        []string
		want, wants string // by allow rules, and by deny rules
	}{
		{"a write", "jobs", []string{"POST /a jobs"}, "allow jobs", "deny except jobs; allow"},
		{"a read", "jobs", []string{"GET /a jobs", "HEAD /b jobs"}, "allow jobs read", "deny except jobs; allow"},
		{"both", "jobs sql", []string{"GET /a jobs", "GET /b sql", "POST /c sql"}, "allow sql; allow jobs read", "deny except jobs,sql; allow"},
		{"all methods", "jobs", []string{"* /a jobs"}, "allow jobs", "deny except jobs; allow"},
		{"unmapped", "", []string{"GET /a jobs", "GET /u unmapped"}, "allow all-apis", "allow"},
		{"together", "x y", []string{"GET /a x+y"}, "allow x,y read", "deny except x,y; allow"},
		{"one of two", "x y", []string{"GET /a x y", "POST /b y"}, "allow y", "deny except y; allow"},
		{"doubtful", "x", []string{"GET /a doubtful x y"}, "allow x,y read", "deny except x,y; allow"},
		{"any scope alone", "x y", []string{"GET /me any"}, "allow x read", "deny except x; allow"},
		{"any scope, written", "x", []string{"POST /me any", "GET /a x"}, "allow x", "deny except x; allow"},
		{"a rehearsed refusal", "x", []string{"GET /a x", "POST /b y"}, "allow y; allow x read", "deny except x,y; allow"},
		{"account-level is not allowed", "x", []string{"GET /a x", "POST /b account"}, "allow x read", "deny except x; allow"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			operations := make([]scopes.Operation, len(test.seen))
			for i, text := range test.seen {
				operations[i] = op(text)
			}
			s := subject(t, "a", etl, strings.Fields(test.held), operations...)
			if got := rulesOf(build(t, Options{}, s)); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
			if got := rulesOf(build(t, Options{AllowOthers: true}, s)); got != test.wants {
				t.Errorf("with others: got %q, want %q", got, test.wants)
			}
		})
	}
}

// TestTokensOfOnePrincipal: rules know principals, so its tokens have them together.
func TestTokensOfOnePrincipal(t *testing.T) {
	t.Parallel()
	d := build(t, Options{},
		subject(t, "a", etl, []string{"jobs"}, op("GET /a jobs")),
		subject(t, "b", anna, []string{"sql"}, op("GET /b sql")),
		subject(t, "c", etl, []string{"jobs"}, op("POST /c jobs")))
	if got, want := rulesOf(d), "allow jobs; allow sql read"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if len(d.Tokens) != 3 || len(d.Verdicts) != 3 || d.policy.NetworkPolicyId != "scopegate-aaaaaaaa-and-2" {
		t.Errorf("got %d tokens, %d verdicts, id %s", len(d.Tokens), len(d.Verdicts), d.policy.NetworkPolicyId)
	}
	if d.policy.Ingress != nil || d.policy.IngressDryRun == nil || d.Mode != modeDryRun {
		t.Error("it is no dry run")
	}
	if d := build(t, Options{Enforce: true}, subject(t, "a", etl, nil, op("GET /a jobs"))); d.policy.Ingress == nil || d.policy.IngressDryRun != nil || d.Mode != modeEnforce {
		t.Error("it does not enforce")
	}
}

// TestNothingToWrite: an error says what to do.
func TestNothingToWrite(t *testing.T) {
	t.Parallel()
	elsewhere := subject(t, "b", anna, []string{"jobs"}, op("GET /a jobs"))
	elsewhere.Recommendation.Workspace = "https://other.example.com"
	works := op("GET /a jobs")
	for _, test := range []struct {
		name     string
		subjects []Subject
		says     string
	}{
		{"no token", nil, "there is no token"},
		{"no owner", []Subject{subject(t, "a", Principal{}, nil, works)}, "token aaaaaaaa: the id of its owner is not known"},
		{"no type", []Subject{subject(t, "a", Principal{ID: 1, Name: "x"}, nil, works)}, "--owner-type user"},
		{"public only", []Subject{subject(t, "a", etl, nil, op("GET /p public"))}, "let it work through the gateway first"},
		{"two workspaces", []Subject{subject(t, "a", etl, nil, works), elsewhere}, "ask for the tokens of one"},
	} {
		if _, err := Build(test.subjects, Options{}); err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

// TestNoGoodCallRefused: whatever was seen, the policy permits all that works, and no
// operation of scopes that were not used.
func TestNoGoodCallRefused(t *testing.T) {
	t.Parallel()
	catalog := scopes.Default().Operations()
	catalog = append(catalog, op("GET /unmapped unmapped"), op("POST /either doubtful jobs sql"), op("GET /both jobs+sql"), op("POST /me any"))
	refused := 0
	for seed := range uint64(400) {
		random := rand.New(rand.NewPCG(seed, 1))
		var subjects []Subject
		for i := range 1 + random.IntN(3) {
			subjects = append(subjects, randomSubject(t, random, catalog, "abc"[i:i+1]))
		}
		for _, options := range []Options{{}, {Enforce: true}, {AllowOthers: true}} {
			d, err := Build(subjects, options)
			if err != nil {
				if !strings.Contains(err.Error(), "no call that passed was seen") {
					t.Fatal(err)
				}
				continue
			}
			for _, v := range d.Refused() {
				t.Errorf("seed %d, %+v: refused %+v\n%s", seed, options, v, d.Policy.Body)
			}
			refused += refusedOthers(t, d, subjects, catalog, random)
		}
	}
	if refused == 0 {
		t.Error("no policy refused anything")
	}
}

// randomSubject is a token that uses some operations, and holds scopes that permit most.
func randomSubject(t *testing.T, random *rand.Rand, catalog []scopes.Operation, digit string) Subject {
	var seen []scopes.Operation
	var held []string
	for range 1 + random.IntN(8) {
		o := catalog[random.IntN(len(catalog))]
		if slices.ContainsFunc(seen, func(p scopes.Operation) bool { return same(&p, &o) }) {
			continue
		}
		seen = append(seen, o)
		if random.IntN(5) > 0 {
			held = append(held, o.Scopes()...)
		}
	}
	if random.IntN(3) == 0 {
		held = nil
	}
	slices.Sort(held)
	return subject(t, digit, []Principal{etl, anna}[random.IntN(2)], slices.Compact(held), seen...)
}

// refusedOthers checks that operations of unused scopes are refused, and counts them.
func refusedOthers(t *testing.T, d *Document, subjects []Subject, catalog []scopes.Operation, random *rand.Rand) (refused int) {
	ingress := d.policy.Ingress
	if ingress == nil {
		ingress = d.policy.IngressDryRun
	}
	for _, p := range byPrincipal(subjects) {
		for range 20 {
			o := catalog[random.IntN(len(catalog))]
			unused := o.Access == scopes.ScopedAccess && !p.everything() &&
				!slices.ContainsFunc(o.Scopes(), func(s string) bool { return slices.Contains(p.all(), s) })
			if !unused {
				continue
			}
			refused++
			if permitted, rules, _ := Evaluate(ingress, p.Principal, &o); permitted {
				t.Errorf("%s may call %s %s, which needs %v, by %v", p.Name, o.Method, o.Template, o.AnyOf, rules)
			}
		}
	}
	return refused
}
