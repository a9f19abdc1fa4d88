package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/scopes"
)

// TestHeimdallRules: Heimdall decides as the gateway does, about every call of the corpus.
func TestHeimdallRules(t *testing.T) {
	paths, operations := pathsOf(scopes.Default(), corpusRandom())
	ruleOf := make(map[string]heimdallRule)
	for _, rule := range heimdallRulesFor(operations) {
		if len(rule.Scopes) == 0 {
			t.Errorf("%v need no scope", rule.Paths)
		}
		for _, path := range rule.Paths {
			if strings.ContainsAny(path, "{}") {
				t.Errorf("%s is not translated", path)
			}
			if other, ok := ruleOf[path]; ok {
				t.Errorf("%s is in %s and in %s", path, other.ID, rule.ID)
			}
			ruleOf[path] = rule
		}
	}
	for i, operation := range operations {
		rule := ruleOf[heimdallPath(operation.Template)]
		for grant := range grants {
			held := heldBy(grant)
			mayPass := slices.ContainsFunc(held, func(scope string) bool { return slices.Contains(rule.Scopes, scope) })
			if wants := permits(operation, grantOf(grant)); mayPass != wants {
				t.Errorf("%s with %v: Heimdall permits it: %v, the gateway: %v", paths[i], held, mayPass, wants)
			}
		}
	}
}

// TestUpstreamKnowsTokens: what Heimdall asks.
func TestUpstreamKnowsTokens(t *testing.T) {
	handler, says := newUpstream()
	ask := func(token string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodGet, tokenPath, nil)
		r.Header.Set("Authorization", "Bearer "+token)
		handler.ServeHTTP(w, r)
		return w
	}
	for i := range grants {
		var got subject
		if err := json.Unmarshal(ask(says.Tokens[i]).Body.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		if got.ID == "" || !slices.Equal(got.Scopes, heldBy(i)) {
			t.Errorf("token %d: %+v, want %v", i, got, heldBy(i))
		}
	}
	if code := ask("another").Code; code != http.StatusUnauthorized {
		t.Errorf("an unknown token is answered with %d", code)
	}
}

func TestForbiddenIsForbidden(t *testing.T) {
	tokens := testTokens()
	c := forbidden(tokens)
	path, _, _ := strings.Cut(c.path, "?")
	readings, err := scopes.Default().Read("GET", path, nil)
	if err != nil || len(readings) != 1 {
		t.Fatalf("%s has %d readings, %v", path, len(readings), err)
	}
	if held := heldBy(slices.Index(tokens, c.token)); permits(readings[0].Operation, held) {
		t.Errorf("%v permits %s", held, path)
	}
}
