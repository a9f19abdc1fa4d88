package main

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"

	"github.com/scopegate/scopegate/scopes"
)

const (
	tokenCount = 1000
	// callCount is the number of calls. It gives each connection 80 different ones.
	callCount = 80 * connections
)

// call is one request: a token and a path.
type call struct {
	token string
	path  string // with the query
}

// grants are the scopes of tokens, mixed as in a real workspace: many were never
// narrowed, the others are for one or a few services.
var grants = [][]string{
	nil, // never narrowed: may do everything
	{scopes.AllAPIs},
	nil,
	{"sql"},
	{"jobs", "clusters"},
	{"unity-catalog"},
	{"workspace", "files"},
	{"sql", "unity-catalog", "dashboards"},
	{"jobs", "clusters", "workspace", "sql", "unity-catalog", "mlflow"},
	{"model-serving", "mlflow"},
}

func grantOf(token int) []string { return grants[token%len(grants)] }

// heldBy returns a token's scopes: one that was never narrowed has all.
func heldBy(token int) []string {
	if held := grantOf(token); len(held) > 0 {
		return held
	}
	return []string{scopes.AllAPIs}
}

// permits is a simple rule of our own, for choosing calls that the gateway allows.
func permits(operation *scopes.Operation, held []string) bool {
	if len(held) == 0 {
		held = []string{scopes.AllAPIs}
	}
	return operation.Permits(held)
}

var parameter = regexp.MustCompile(`\{[^{}]*\}`)

// pathsOf makes one path for every GET operation in the catalog that personal access
// tokens may call.
func pathsOf(catalog *scopes.Catalog, rng *rand.Rand) (paths []string, operations []*scopes.Operation) {
	for _, row := range catalog.Operations() {
		// The upstream uses these for the gateway's look-ups.
		own := strings.HasPrefix(row.Template, tokenManagement) || strings.HasPrefix(row.Template, "/oidc/")
		if row.Method != "GET" || row.Access == scopes.Public || row.Access == scopes.AccountOnly || own {
			continue
		}
		path := parameter.ReplaceAllStringFunc(row.Template, func(p string) string {
			if strings.HasSuffix(p, "...}") {
				return fmt.Sprintf("Volumes/main/raw/part-%05d.parquet", rng.IntN(1e5))
			}
			return fmt.Sprintf("%016x", rng.Uint64())
		})
		path = strings.ReplaceAll(path, "*", "any")
		readings, err := catalog.Read("GET", path, nil)
		// Skip a path whose random name happens to match another operation.
		if err != nil || len(readings) != 1 || readings[0].Operation.Template != row.Template {
			continue
		}
		if path == row.Template { // without parameters it is most likely a list
			path += fmt.Sprintf("?max_results=%d&page_token=%x", 20+rng.IntN(80), rng.Uint32())
		}
		paths, operations = append(paths, path), append(operations, readings[0].Operation)
	}
	return paths, operations
}

// corpusRandom makes the corpus the same in every run.
func corpusRandom() *rand.Rand { return rand.New(rand.NewPCG(7, 11)) }

// corpus pairs every token with paths that it may call. It is deterministic.
func corpus(tokens []string) (calls []call, distinct int) {
	rng := corpusRandom()
	paths, operations := pathsOf(scopes.Default(), rng)
	used := make(map[string]bool)
	for i := range callCount {
		token := i % len(tokens)
		at := rng.IntN(len(paths))
		for !permits(operations[at], grantOf(token)) { // ends: every grant permits some path
			at = (at + 1) % len(paths)
		}
		used[paths[at]] = true
		calls = append(calls, call{tokens[token], paths[at]})
	}
	rng.Shuffle(len(calls), func(i, j int) { calls[i], calls[j] = calls[j], calls[i] })
	return calls, len(used)
}

// forbidden returns a call that its token's scopes do not permit.
func forbidden(tokens []string) call {
	paths, operations := pathsOf(scopes.Default(), corpusRandom())
	for i := range tokens {
		for at, operation := range operations {
			if held := grantOf(i); len(held) > 0 && !permits(operation, held) {
				return call{tokens[i], paths[at]}
			}
		}
	}
	panic("every token may do everything") // grants say otherwise
}
