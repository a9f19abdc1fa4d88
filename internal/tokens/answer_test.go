package tokens

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
)

// answerID is the token of the answers below.
var answerID = IDOf(somePAT)

// facts returns the facts of a good answer, some of them replaced: "name: value", in JSON,
// which replaces a member, or adds one. An empty value removes it.
func answerFacts(changes ...string) string {
	members := []string{
		`"token_id":"` + answerID.String() + `"`, `"comment":"nightly"`, `"creation_time":1760000000000`, `"expiry_time":4070908800000`,
		`"created_by_id":7`, `"created_by_username":"a@example.com"`, `"owner_id":7`, `"workspace_id":1`, `"scopes":["sql"]`,
	}
	for _, change := range changes {
		name, value, _ := strings.Cut(change, ": ")
		found := false
		for i, member := range members {
			if strings.HasPrefix(member, `"`+name+`":`) {
				found, members[i] = true, ""
				if value != "" {
					members[i] = `"` + name + `":` + value
				}
			}
		}
		if !found {
			members = append(members, `"`+name+`":`+value)
		}
	}
	var kept []string
	for _, member := range members {
		if member != "" {
			kept = append(kept, member)
		}
	}
	return "{" + strings.Join(kept, ",") + "}"
}

// oddFacts are facts about one token of which each has one thing wrong.
var oddFacts = []struct {
	name  string
	facts string
	kind  Unusable
}{
	{"scopes twice", answerFacts(`expiry_time: -1,"scopes":[]`), DuplicateName},
	{"scopes in two spellings", answerFacts(`SCOPES: []`), DuplicateName},
	{"scopes with a letter that folds to ASCII", answerFacts(`\u017fcopes: []`), DuplicateName},
	{"an escaped name", answerFacts(`sc\u006fpes: []`), DuplicateName},
	{"the expiry twice", answerFacts(`Expiry_Time: -1`), DuplicateName},
	{"a member that nobody knows twice", answerFacts(`later: 1,"later":2`), DuplicateName},
	{"a name twice within it", answerFacts(`later: [{"a":1,"A":2}]`), DuplicateName},
	{"scopes are a text", answerFacts(`scopes: "sql"`), WrongType},
	{"scopes are null", answerFacts(`scopes: null`), WrongType},
	{"scopes are an object", answerFacts(`scopes: {}`), WrongType},
	{"a scope is a number", answerFacts(`scopes: ["sql",1]`), WrongType},
	{"a scope is null", answerFacts(`scopes: ["sql",null]`), WrongType},
	{"a scope is a list", answerFacts(`scopes: [["sql"]]`), WrongType},
	{"a scope is empty", answerFacts(`scopes: [""]`), WrongType},
	{"the expiry is a text", answerFacts(`expiry_time: "soon"`), WrongType},
	{"the expiry is a number as a text", answerFacts(`expiry_time: "-1"`), WrongType},
	{"the expiry is a fraction", answerFacts(`expiry_time: 4070908800000.5`), WrongType},
	{"the expiry has an exponent", answerFacts(`expiry_time: 4e12`), WrongType},
	{"the expiry is a list", answerFacts(`expiry_time: [-1]`), WrongType},
	{"the expiry is true", answerFacts(`expiry_time: true`), WrongType},
	{"the expiry overflows", answerFacts(`expiry_time: 99999999999999999999`), WrongType},
	{"the creation is a text", answerFacts(`creation_time: "2026-01-01"`), WrongType},
	{"the owner is a text", answerFacts(`owner_id: "7"`), WrongType},
	{"the comment is a number", answerFacts(`comment: 1`), WrongType},
	{"inferred scopes are a text", answerFacts(`inferred_scopes: "sql"`), WrongType},
	{"the expiry is after the year 9999", answerFacts(`expiry_time: 253402300800000`), OutOfRange},
	{"the expiry is the largest number", answerFacts(`expiry_time: 9223372036854775807`), OutOfRange},
	{"the creation is after the year 9999", answerFacts(`creation_time: 9223372036854775807`), OutOfRange},
	{"the last use is after the year 9999", answerFacts(`last_used_day: 9223372036854775807`), OutOfRange},
	{"a negative owner", answerFacts(`owner_id: -7`), OutOfRange},
	{"a negative creator", answerFacts(`created_by_id: -1`), OutOfRange},
	{"a negative workspace", answerFacts(`workspace_id: -9223372036854775808`), OutOfRange},
}

func TestReadToken(t *testing.T) {
	t.Parallel()
	type row struct {
		name string
		body string
		kind string // empty for a good one
	}
	tests := []row{
		{"a good answer", `{"token_info":` + answerFacts() + `}`, ""},
		{"members that nobody knows", `{"more":{"a":1},"token_info":` + answerFacts(`later: {"a":[1,{}]}`) + `}`, ""},
		{"no scopes", `{"token_info":` + answerFacts(`scopes: `) + `}`, ""},
		{"another spelling of a name", `{"Token_Info":` + answerFacts() + `}`, ""},
		{"null for texts", `{"token_info":` + answerFacts(`comment: null`, `inferred_scopes: null`) + `}`, ""},
		{"an empty object", `{}`, "missing_facts"},
		{"null facts", `{"token_info":null}`, "missing_facts"},
		{"empty facts", `{"token_info":{}}`, "missing_facts"},
		{"no id", `{"token_info":` + answerFacts(`token_id: `) + `}`, "missing_facts"},
		{"a null id", `{"token_info":` + answerFacts(`token_id: null`) + `}`, "missing_facts"},
		{"another id", `{"token_info":` + answerFacts(`token_id: "`+garbage(1).String()+`"`) + `}`, "other_token"},
		{"the id in upper case", `{"token_info":` + answerFacts(`token_id: "`+strings.ToUpper(answerID.String())+`"`) + `}`, "other_token"},
		{"a short id", `{"token_info":` + answerFacts(`token_id: "7"`) + `}`, "other_token"},
		{"the id as a number", `{"token_info":` + answerFacts(`token_id: 7`) + `}`, "wrong_type"},
		{"facts twice", `{"token_info":` + answerFacts() + `,"token_info":` + answerFacts(`scopes: `) + `}`, "duplicate_name"},
		{"facts in two spellings", `{"token_info":` + answerFacts() + `,"TOKEN_INFO":{"scopes":[]}}`, "duplicate_name"},
		{"facts are a list", `{"token_info":[` + answerFacts() + `]}`, "wrong_type"},
		{"a list", `[` + answerFacts() + `]`, "wrong_type"},
		{"a text", `"token_info"`, "wrong_type"},
		{"null", `null`, "missing_facts"},
		{"two answers", `{"token_info":` + answerFacts() + `}{}`, "bad_answer"},
		{"more behind it", `{"token_info":` + answerFacts() + `}]`, "bad_answer"},
		{"cut off", `{"token_info":` + answerFacts(), "bad_answer"},
		{"invalid UTF-8", "{\"token_info\":" + answerFacts("comment: \"\xff\"") + "}", "bad_answer"},
		{"HTML", "<html>", "bad_answer"},
		{"nothing", "", "bad_answer"},
	}
	for _, odd := range oddFacts {
		tests = append(tests, row{odd.name, `{"token_info":` + odd.facts + `}`, string(odd.kind)})
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			info, err := readToken([]byte(test.body), answerID)
			if test.kind == "" {
				if err != nil || info.TokenId != answerID.String() {
					t.Errorf("%v, %v", info, err)
				}
				return
			}
			var outage *UnavailableError
			if !errors.As(err, &outage) || outage.Kind() != test.kind {
				t.Fatalf("%v, %v; want %s", info, err, test.kind)
			}
			if outage.Outage != UnusableAnswer && outage.Outage != BadAnswer {
				t.Errorf("the outage is %s", outage.Outage)
			}
			if strings.Contains(err.Error(), answerID.String()) || strings.Contains(err.Error(), "soon") {
				t.Errorf("the error quotes the answer: %v", err)
			}
		})
	}
}

// TestReadTokenTimes: only -1 is never, and only what is positive is a time.
func TestReadTokenTimes(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]Expiry{
		"-1": NeverExpires, "4070908800000": ExpiresAt(time.UnixMilli(4070908800000)), "1": ExpiresAt(time.UnixMilli(1)),
		"0": {}, "-0": {}, "-2": {}, "-5": {}, "-9223372036854775808": {}, "null": {}, "": {},
	} {
		body := `{"token_info":` + answerFacts("expiry_time: "+value, "creation_time: -1") + `}`
		facts, err := readToken([]byte(body), answerID)
		if err != nil {
			t.Fatalf("%q: %v", value, err)
		}
		info := newInfo(answerID, facts, newInterner())
		if !info.Expires.Equal(want) || info.Expires.Known() != want.Known() {
			t.Errorf("expiry_time %q is read as %+v, want %+v", value, info.Expires, want)
		}
		if !info.Created.IsZero() {
			t.Errorf("created %s", info.Created)
		}
		if _, known := info.Lifetime(); known {
			t.Error("the lifetime is known")
		}
	}
}

func TestReadList(t *testing.T) {
	t.Parallel()
	other := func(n int, changes ...string) string {
		return answerFacts(append(changes, `token_id: "`+garbage(n).String()+`"`)...)
	}
	type row struct {
		name   string
		body   string
		kind   string // of what spoils the list
		listed int
		faulty Unusable // of the one token that is
	}
	list := func(entries ...string) string { return `{"token_infos":[` + strings.Join(entries, ",") + `]}` }
	tests := []row{
		{name: "tokens", body: list(answerFacts(), other(1), other(2)), listed: 3},
		{name: "none", body: list(), listed: 0},
		{name: "left out", body: `{}`, listed: 0},
		{name: "a token twice, alike", body: list(answerFacts(), other(1), answerFacts()), listed: 2},
		{name: "a token twice, narrowed", body: list(answerFacts(), other(1), answerFacts(`scopes: ["jobs"]`)), listed: 1, faulty: Contradiction},
		{name: "a token three times, narrowed", body: list(answerFacts(`scopes: `), answerFacts(), other(1), answerFacts(`scopes: `)), listed: 1, faulty: Contradiction},
		{name: "a token twice, in upper case", body: list(other(1), answerFacts(), answerFacts(`scopes: `, `token_id: "`+strings.ToUpper(answerID.String())+`"`)), listed: 1, faulty: Contradiction},
		{name: "a good one after an odd one", body: list(answerFacts(`scopes: null`), answerFacts(), other(1)), listed: 1, faulty: WrongType},
		{name: "an odd one after a good one", body: list(answerFacts(), answerFacts(`scopes: null`), other(1)), listed: 1, faulty: Contradiction},
		{name: "null", body: `{"token_infos":null}`, kind: "wrong_type"},
		{name: "an object", body: `{"token_infos":{}}`, kind: "wrong_type"},
		{name: "no object", body: `[]`, kind: "wrong_type"},
		{name: "two lists", body: `{"token_infos":[` + other(1) + `],"Token_Infos":[]}`, kind: "duplicate_name"},
		{name: "an entry is null", body: list(answerFacts(), "null"), kind: "missing_facts"},
		{name: "an entry is a text", body: list(answerFacts(), `"x"`), kind: "missing_facts"},
		{name: "an entry is empty", body: list(answerFacts(), "{}"), kind: "missing_facts"},
		{name: "an entry without an id", body: list(answerFacts(`token_id: `)), kind: "missing_facts"},
		{name: "an id that is no hash", body: list(answerFacts(`token_id: "7"`)), kind: "missing_facts"},
		{name: "an id that is a number", body: list(answerFacts(`token_id: 7`)), kind: "missing_facts"},
		{name: "two ids in one entry", body: list(answerFacts(`Token_ID: "` + garbage(1).String() + `"`)), kind: "duplicate_name"},
		{name: "cut off", body: `{"token_infos":[` + answerFacts(), kind: "bad_answer"},
		{name: "more behind it", body: list() + "{}", kind: "bad_answer"},
	}
	for _, odd := range oddFacts {
		tests = append(tests, row{name: odd.name, body: list(other(1), odd.facts, other(2)), listed: 2, faulty: odd.kind})
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			list, faulty, err := readList([]byte(test.body), newInterner())
			var outage *UnavailableError
			switch {
			case test.kind != "":
				if !errors.As(err, &outage) || outage.Kind() != test.kind || list != nil {
					t.Errorf("%d tokens, %v; want %s", len(list), err, test.kind)
				}
			case err != nil || len(list) != test.listed:
				t.Errorf("%d tokens, %v; want %d", len(list), err, test.listed)
			case test.faulty == "" && len(faulty) > 0:
				t.Errorf("faulty: %v", faulty)
			case test.faulty != "" && (len(faulty) != 1 || faulty[0].ID != answerID || faulty[0].Err.Kind() != string(test.faulty)):
				t.Errorf("faulty: %v, want %s", faulty, test.faulty)
			}
		})
	}
}

// FuzzReadToken holds that what is read says what encoding/json reads, and one thing only.
func FuzzReadToken(f *testing.F) {
	for _, odd := range oddFacts {
		f.Add([]byte(`{"token_info":` + odd.facts + `}`))
	}
	f.Add([]byte(`{"token_info":` + answerFacts() + `}`))
	f.Add([]byte(`{"token_info":` + answerFacts(`scopes: `, `expiry_time: 0`) + `}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		facts, err := readToken(body, answerID)
		if err != nil {
			if !isOutage(err) || facts != nil {
				t.Fatalf("%v, %v", facts, err)
			}
			return
		}
		info := newInfo(answerID, facts, newInterner())
		var generous struct {
			TokenInfo map[string]json.RawMessage `json:"token_info"`
		}
		if err := json.Unmarshal(body, &generous); err != nil {
			t.Fatalf("%q is read, but not by encoding/json: %v", body, err)
		}
		scopes, expiry := 0, 0
		for name, value := range generous.TokenInfo {
			switch {
			case strings.EqualFold(name, "scopes"):
				var list []string
				if err := json.Unmarshal(value, &list); err != nil || fmt.Sprint(list) != fmt.Sprint(info.Scopes) || list == nil {
					t.Fatalf("%q: scopes %q", body, info.Scopes)
				}
				scopes++
			case strings.EqualFold(name, "expiry_time"):
				if expiry++; info.Expires.Never() != (string(value) == "-1") {
					t.Fatalf("%q: expires %+v", body, info.Expires)
				}
			}
		}
		if scopes > 1 || expiry > 1 || scopes == 0 && len(info.Scopes) > 0 || expiry == 0 && info.Expires.Known() {
			t.Fatalf("%q: read as %+v", body, info)
		}
	})
}

func FuzzReadList(f *testing.F) {
	for _, odd := range oddFacts {
		f.Add([]byte(`{"token_infos":[` + odd.facts + `]}`))
	}
	f.Add([]byte(`{"token_infos":[` + answerFacts() + `,` + answerFacts(`scopes: `) + `]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		list, faulty, err := readList(body, newInterner())
		if err != nil && (!isOutage(err) || list != nil) {
			t.Fatalf("%v, %v", list, err)
		}
		seen := make(map[ID]bool)
		for _, info := range list {
			if seen[info.ID] {
				t.Fatalf("%q: %s twice", body, info.ID)
			}
			seen[info.ID] = true
		}
		for _, each := range faulty {
			if seen[each.ID] {
				t.Fatalf("%q: %s is both good and faulty", body, each.ID)
			}
			seen[each.ID] = true
		}
	})
}

// TestServiceReadsStrictly asks over a real socket: the SDK must not read what we refuse.
func TestServiceReadsStrictly(t *testing.T) {
	t.Parallel()
	workspace := startWorkspace(t)
	d := startService(t, workspace.URL(), m2m(workspace), 5*time.Second)
	for _, odd := range oddFacts {
		fault := workspace.Faults().Set(managementAPI, fakeworkspace.Respond(200, "application/json", `{"token_info":`+odd.facts+`}`))
		info, err := d.Lookup(t.Context(), Query{ID: answerID})
		var outage *UnavailableError
		if !errors.As(err, &outage) || outage.Outage != UnusableAnswer || outage.Kind() != string(odd.kind) {
			t.Errorf("%s: %+v, %v", odd.name, info, err)
		}
		fault.Remove()
		fault = workspace.Faults().Set(managementAPI, fakeworkspace.Respond(200, "application/json", `{"token_infos":[`+odd.facts+`]}`))
		list, faulty, err := d.List(t.Context())
		if err != nil || len(list) != 0 || len(faulty) != 1 {
			t.Errorf("%s: listed %d, faulty %d, %v", odd.name, len(list), len(faulty), err)
		}
		fault.Remove()
	}
}

// TestOtherAnswersAreUnambiguous: so are those that the SDK decodes, such as SCIM's, and
// refusals.
func TestOtherAnswersAreUnambiguous(t *testing.T) {
	t.Parallel()
	workspace := startWorkspace(t)
	transport := NewTransport(5 * time.Second)
	t.Cleanup(transport.Close)
	workspace.Faults().Set("/api/2.0/preview/scim/", fakeworkspace.Respond(200, "application/json", `{"id":"7","userName":"bob@x.com","username":"eve@x.com"}`))
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, workspace.URL()+"/api/2.0/preview/scim/v2/Users/7", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := transport.RoundTrip(request); err == nil || asOutage(err).Outage != BadAnswer || asOutage(err).Kind() != string(DuplicateName) {
		t.Errorf("SCIM's answer with two names: %v", err)
	}
	d := startService(t, workspace.URL(), m2m(workspace), 5*time.Second)
	workspace.Faults().Set(managementAPI, fakeworkspace.Respond(404, "application/json", `{"error_code":"ENDPOINT_NOT_FOUND","ERROR_CODE":"RESOURCE_DOES_NOT_EXIST","message":"No"}`))
	var outage *UnavailableError
	if _, err := d.Lookup(t.Context(), Query{ID: answerID}); !errors.As(err, &outage) || outage.Kind() != string(DuplicateName) {
		t.Errorf("a refusal with two codes: %v", err)
	}
}
