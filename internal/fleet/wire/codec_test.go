package wire

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/tokens"
)

// TestTokenThere: what is written about a token is read again as it was.
func TestTokenThere(t *testing.T) {
	t.Parallel()
	id, at := tokens.IDOf("one"), time.UnixMilli(1_700_000_000_123)
	full := tokens.Info{
		ID: id, Owner: tokens.NewPrincipal(7, "owner@example.com"), Creator: tokens.NewPrincipal(8, "creator@example.com"), WorkspaceID: 9,
		Expires: tokens.ExpiresAt(at), Created: at, LastUsed: at, Scopes: []string{"sql", "jobs"}, InferredScopes: []string{"sql"},
		BackfillScopes: []string{"jobs"}, AutoscopeState: "DONE", Comment: "a \"comment\" \n",
	}
	for name, change := range map[string]func(*tokens.Info){
		"all":               func(*tokens.Info) {},
		"never expires":     func(i *tokens.Info) { i.Expires = tokens.NeverExpires },
		"expiry unknown":    func(i *tokens.Info) { i.Expires = tokens.Expiry{} },
		"owner unknown":     func(i *tokens.Info) { i.Owner = tokens.Principal{} },
		"owner's name only": func(i *tokens.Info) { i.Owner = tokens.NewPrincipal(0, "owner@example.com") },
		"owner's number":    func(i *tokens.Info) { i.Owner = tokens.NewPrincipal(7, "") },
		"unscoped":          func(i *tokens.Info) { i.Scopes = nil },
		"creation unknown":  func(i *tokens.Info) { i.Created = time.Time{} },
		"ended long ago":    func(i *tokens.Info) { i.Expires = tokens.ExpiresAt(time.UnixMilli(1)) },
	} {
		t.Run(name, func(t *testing.T) {
			info := full
			change(&info)
			body, err := json.Marshal(TokenAnswer{Token: TokenOf(&info, info.Owner), Position: Position{Epoch: "e"}})
			if err != nil {
				t.Fatal(err)
			}
			answer, err := DecodeTokenAnswer(body)
			if err != nil {
				t.Fatal(err)
			}
			got, err := answer.Token.Info(id)
			if err != nil || !reflect.DeepEqual(got, &info) {
				t.Errorf("%+v, %v, want %+v", got, err, &info)
			}
			if _, err := answer.Token.Info(tokens.IDOf("two")); err == nil {
				t.Error("it is believed about another token")
			}
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	const token, position = `"token":{"id":"x"},"age_ms":1`, `"position":{"epoch":"e","generation":1}`
	for name, body := range map[string]string{
		"nothing":         "",
		"null":            "null",
		"no token":        "{" + position + "}",
		"no position":     "{" + token + "}",
		"no age":          `{"token":{"id":"x"},` + position + "}",
		"null for an age": `{"token":{"id":"x"},"age_ms":null,` + position + "}",
		"a negative age":  `{"token":{"id":"x"},"age_ms":-1,` + position + "}",
		"a name twice":    "{" + token + "," + token + "," + position + "}",
		"a name in caps":  "{" + token + `,"TOKEN":{},` + position + "}",
		"another type":    `{"token":[],` + position + "}",
		"more after it":   "{" + token + "," + position + "} {}",
		"a strange epoch": "{" + token + `,"position":{"epoch":"e:","generation":1}}`,
	} {
		if answer, err := DecodeTokenAnswer([]byte(body)); err == nil {
			t.Errorf("%s: %+v", name, answer)
		}
	}
}

// TestTimesNeverMeanSomethingElse: 0 is an unknown time, and -1 an expiry that never comes.
func TestTimesNeverMeanSomethingElse(t *testing.T) {
	t.Parallel()
	for name, at := range map[string]time.Time{
		"1970": time.UnixMilli(0), "just before": time.UnixMilli(-1), "1900": time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC),
	} {
		token := TokenOf(&tokens.Info{ID: tokens.IDOf("one"), Expires: tokens.ExpiresAt(at), Created: at}, tokens.Principal{})
		info, err := token.Info(tokens.IDOf("one"))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if end, ok := info.Expires.At(); !ok || end.After(time.UnixMilli(1)) || info.Created.IsZero() {
			t.Errorf("%s: expires %v, created %v", name, info.Expires, info.Created)
		}
	}
}

func TestInfoRefuses(t *testing.T) {
	t.Parallel()
	id := tokens.IDOf("one")
	for name, spoil := range map[string]func(*Token){
		"another token":      func(t *Token) { t.ID = tokens.IDOf("two").String() },
		"too late an expiry": func(t *Token) { t.Expires = maxTime + 1 },
		"an expiry below -1": func(t *Token) { t.Expires = -2 },
		"a negative owner":   func(t *Token) { t.Owner.ID = -1 },
		"a scope of no name": func(t *Token) { t.Scopes = []string{""} },
		"a long one":         func(t *Token) { t.InferredScopes = []string{strings.Repeat("a", maxName+1)} },
		"a long scope":       func(t *Token) { t.Scopes = []string{strings.Repeat("a", maxName+1)} },
		"too many scopes":    func(t *Token) { t.Scopes = slices.Repeat([]string{"sql"}, maxScopes+1) },
	} {
		token := &Token{ID: id.String(), Expires: 1, Scopes: []string{"sql"}}
		if _, err := token.Info(id); err != nil {
			t.Fatal(err)
		}
		spoil(token)
		if info, err := token.Info(id); err == nil {
			t.Errorf("%s: %+v", name, info)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"token":{"id":"x","expires":-1},"age_ms":1,"position":{"epoch":"e","generation":1}}`))
	f.Add([]byte(`{"code":"rate","message":"m"}`))
	f.Add([]byte(`{"kind":"owner","owner":1}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		if answer, err := DecodeTokenAnswer(body); err == nil {
			if info, err := answer.Token.Info(tokens.IDOf("one")); err == nil && info.ID != tokens.IDOf("one") {
				t.Error("the facts are about another token")
			}
		}
		if problem, err := DecodeProblem(body); err == nil && problem.Code == "" {
			t.Error("a problem without a code")
		}
		if change, err := DecodeChange(body); err == nil && change.Kind == "" {
			t.Error("a change without a kind")
		}
		_, _ = DecodeOwnerAnswer(body, 1)
		_, _ = DecodePosition(body)
	})
}
