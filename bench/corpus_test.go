package main

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/scopes"
)

func testTokens() (tokens []string) {
	for i := range tokenCount {
		tokens = append(tokens, fmt.Sprintf("dapi%032x", i))
	}
	return tokens
}

// A call that is refused or has several readings would measure something else, and too
// few paths or tokens would flatter every cache.
func TestCorpusIsAllowedAndVaried(t *testing.T) {
	tokens := testTokens()
	number := make(map[string]int)
	for i, token := range tokens {
		number[token] = i
	}
	calls, distinct := corpus(tokens)
	if len(calls) != callCount {
		t.Errorf("%d calls, want %d", len(calls), callCount)
	}
	if distinct < 400 {
		t.Errorf("only %d paths", distinct)
	}
	seen := make(map[string]bool)
	for _, c := range calls {
		seen[c.token] = true
		path, _, _ := strings.Cut(c.path, "?")
		readings, err := scopes.Default().Read("GET", path, nil)
		if err != nil || len(readings) != 1 {
			t.Fatalf("%s has %d readings, %v", path, len(readings), err)
		}
		operation := readings[0].Operation
		if operation.Unmapped() || !permits(operation, grantOf(number[c.token])) {
			t.Fatalf("token %d, with %v, may not call %s (%s)", number[c.token], grantOf(number[c.token]), path, operation.Name)
		}
	}
	if len(seen) != tokenCount {
		t.Errorf("only %d tokens are used", len(seen))
	}
}

func TestEveryGrantOpensSomething(t *testing.T) {
	_, operations := pathsOf(scopes.Default(), rand.New(rand.NewPCG(1, 1)))
	for _, grant := range grants {
		opened := 0
		for _, o := range operations {
			if permits(o, grant) {
				opened++
			}
		}
		t.Logf("%v opens %d of %d", grant, opened, len(operations))
		if opened == 0 {
			t.Errorf("%v permits no path", grant)
		}
	}
}
