package usage

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/scopes"
)

func TestCover(t *testing.T) {
	t.Parallel()
	breadth := map[string]int{"narrow": 1, "broad": 50, "x": 5, "y": 5, "z": 5}
	for _, test := range []struct {
		name       string
		operations []string
		candidates choice
		want       string // scopes / otherwise / because / impossible / uncovered
	}{
		{"nothing", nil, choice{}, "////"},
		{"one", []string{"a: x"}, choice{}, "x////"},
		{"one for two", []string{"a: x y", "b: y z"}, choice{}, "y////"},
		{"the smallest set wins over scopes that are held", []string{"a: x y", "b: y z"}, choice{Held: []string{"x", "z"}}, "y////"},
		{"held", []string{"a: x y"}, choice{Held: []string{"y"}}, "y////"},
		{"held wins over narrow", []string{"a: narrow broad"}, choice{Held: []string{"broad"}}, "broad////"},
		{"narrow", []string{"a: narrow broad"}, choice{}, "narrow////"},
		{"narrow wins over the alphabet", []string{"a: broad narrow"}, choice{}, "narrow////"},
		{"the alphabet", []string{"a: z y x"}, choice{}, "x////"},
		{"the alphabet over a cycle", []string{"a: x y", "b: y z", "c: z x"}, choice{}, "x y////"},
		{"public needs none", []string{"a: public"}, choice{}, "////"},
		{"account-level is impossible", []string{"a: x", "b: account"}, choice{}, "x///b/"},
		{"any scope and another", []string{"me: *", "a: z"}, choice{}, "z////"},
		{"any scope alone", []string{"me: *"}, choice{}, "narrow////"},
		{"any scope alone, held", []string{"me: *"}, choice{Held: []string{"z", "y"}}, "y////"},
		{"any scope alone, all-apis held", []string{"me: *"}, choice{Held: []string{"all-apis"}}, "narrow////"},
		{"any scope, of those", []string{"me: *"}, choice{Only: []string{"z", "all-apis"}}, "z////"},
		{"any scope, of none", []string{"me: *"}, choice{Only: []string{}}, "////me"},
		{"any scope, of all-apis", []string{"me: *"}, choice{Only: []string{"all-apis"}}, "all-apis//me//"},
		{"all-apis is avoided", []string{"a: all-apis x"}, choice{Held: []string{"all-apis"}}, "x////"},
		{"all-apis", []string{"u: unmapped", "a: x", "b: y"}, choice{}, "all-apis/x y/u//"},
		{"all-apis, of those", []string{"a: x", "b: y"}, choice{Only: []string{"x", "all-apis"}}, "all-apis/x/b//"},
		{"a row without scopes", []string{"a: "}, choice{}, "all-apis//a//"},
		{"only those", []string{"a: x y", "b: z"}, choice{Only: []string{"y"}}, "y////b"},
		{"two together", []string{"a: x+y"}, choice{}, "x y////"},
		{"two together, or one", []string{"a: x+y z"}, choice{}, "z////"},
		{"two together that others need", []string{"a: x+y z", "b: x", "c: y"}, choice{}, "x y////"},
		{"two together, one of them held", []string{"a: x+y"}, choice{Only: []string{"x"}}, "////a"},
		{"optional", []string{"a: optional all-apis", "b: x"}, choice{}, "x////"},
		{"doubtful", []string{"a: doubtful x y"}, choice{}, "x////"},
		{"doubtful, strictly", []string{"a: doubtful x y"}, choice{Strict: true}, "x y////"},
		{"doubtful, strictly, one of them held", []string{"a: doubtful x y"}, choice{Strict: true, Only: []string{"y"}}, "y////"},
		{"a scope twice", []string{"a: x x", "b: x x y"}, choice{}, "x////"},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.candidates.Breadth = breadth
			got := describe(coverOf(ops(test.operations...), test.candidates))
			if got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func describe(c coverage) string {
	names := func(operations []scopes.Operation) string {
		var s []string
		for _, o := range operations {
			s = append(s, o.Name)
		}
		return strings.Join(s, " ")
	}
	return strings.Join([]string{
		strings.Join(c.Scopes, " "), strings.Join(c.Otherwise, " "), names(c.Because), names(c.Impossible), names(c.Uncovered),
	}, "/")
}

// bruteForce tries every set of at most 12 scopes.
func bruteForce(operations []scopes.Operation, names []string, c choice) []string {
	best, found := []string(nil), false
	better := func(set []string) bool {
		if len(set) != len(best) {
			return len(set) < len(best)
		}
		held := func(s []string) int { return len(intersect(s, c.Held)) }
		width := func(s []string) (sum int) {
			for _, scope := range s {
				sum += c.Breadth[scope]
			}
			return sum
		}
		if held(set) != held(best) {
			return held(set) > held(best)
		}
		if width(set) != width(best) {
			return width(set) < width(best)
		}
		return slices.Compare(set, best) < 0
	}
	for mask := range 1 << len(names) {
		var set []string
		for i, name := range names {
			if mask&(1<<i) != 0 {
				set = append(set, name)
			}
		}
		meets := !slices.ContainsFunc(operations, func(o scopes.Operation) bool {
			return !o.Optional && (c.Strict && !o.PermitsStrictly(set) || !o.Permits(set))
		})
		if meets && (!found || better(set)) {
			best, found = set, true
		}
	}
	return best
}

// checkCover compares coverOf with brute force on a problem made of random numbers.
func checkCover(t *testing.T, random func(n int) int) {
	t.Helper()
	scopeCount := 1 + random(11)
	var names []string
	c := choice{Breadth: make(map[string]int)}
	for i := range scopeCount {
		name := string(rune('a' + i))
		names = append(names, name)
		c.Breadth[name] = random(4)
		if random(3) == 0 {
			c.Held = append(c.Held, name)
		}
	}
	c.Strict = random(2) == 0
	var operations []scopes.Operation
	widest := 1 + random(min(4, scopeCount))
	for i := range random(25) {
		var need []string
		for range 1 + random(widest) {
			alternative := names[random(scopeCount)]
			for random(4) == 0 {
				alternative += scopes.And + names[random(scopeCount)]
			}
			need = append(need, alternative)
		}
		kind := []string{"", "", "", "doubtful ", "optional "}[random(5)]
		operations = append(operations, op(fmt.Sprintf("o%d: %s%s", i, kind, strings.Join(need, " "))))
	}
	got := coverOf(operations, c)
	if want := bruteForce(operations, names, c); !slices.Equal(got.Scopes, want) || got.Greedy || got.AllAPIs() {
		t.Fatalf("operations %v, held %v, breadth %v:\ngot  %v\nwant %v", operations, c.Held, c.Breadth, got.Scopes, want)
	}
	// The order of things does not count.
	slices.Reverse(operations)
	for i := range operations {
		slices.Reverse(operations[i].AnyOf)
	}
	slices.Reverse(c.Held)
	if again := coverOf(operations, c); !slices.Equal(again.Scopes, got.Scopes) {
		t.Fatalf("in another order: %v, not %v", again.Scopes, got.Scopes)
	}
}

func TestCoverAgainstBruteForce(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	n := 3000
	if testing.Short() {
		n = 300
	}
	for range n {
		checkCover(t, random.IntN)
	}
}

func FuzzCover(f *testing.F) {
	f.Add([]byte("a problem is made of these bytes, one number each"))
	f.Fuzz(func(t *testing.T, data []byte) {
		checkCover(t, func(n int) int {
			if len(data) == 0 {
				return 0
			}
			b := int(data[0])
			data = data[1:]
			return b % n
		})
	})
}

// TestCoverGreedy has more scopes than the exact solver takes: the cover must be
// one all the same, without superfluous members, and say what it is.
func TestCoverGreedy(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 4))
	operations := randomOperations(random, 100, 400, 4)
	got := coverOf(operations, choice{Breadth: map[string]int{}})
	if !got.Greedy {
		t.Error("it does not say that it is greedy")
	}
	for i := -1; i < len(got.Scopes); i++ {
		set := slices.Clone(got.Scopes)
		if i >= 0 {
			set = slices.Delete(set, i, i+1)
		}
		short := slices.ContainsFunc(operations, func(o scopes.Operation) bool { return !o.Permits(set) })
		if short != (i >= 0) {
			t.Errorf("without number %d: short is %v", i, short)
		}
	}
}

// TestCoverCatalogue covers every operation that there is.
func TestCoverCatalogue(t *testing.T) {
	t.Parallel()
	all := scopes.Default().Operations()
	got := coverOf(all, choice{})
	if !got.AllAPIs() || got.Greedy {
		t.Errorf("all-apis %v, greedy %v", got.AllAPIs(), got.Greedy)
	}
	for i := range all {
		if o := &all[i]; !o.Optional && !o.Permits(got.Otherwise) && o.Access != scopes.AccountOnly &&
			!slices.ContainsFunc(got.Because, func(b scopes.Operation) bool { return reflect.DeepEqual(b, *o) }) {
			t.Errorf("%s %s is not covered", o.Method, o.Template)
		}
	}
	for scope := range shippedBreadth() {
		if !slices.Contains(scopes.KnownScopes(), scope) {
			t.Errorf("scope %s is not known", scope)
		}
	}
}

func randomOperations(random *rand.Rand, scopeCount, n, widest int) []scopes.Operation {
	operations := make([]scopes.Operation, n)
	for i := range operations {
		need := ""
		for range 2 + random.IntN(widest-1) {
			need += fmt.Sprintf(" s%03d", random.IntN(scopeCount))
		}
		operations[i] = op(fmt.Sprintf("o%d:%s", i, need))
	}
	return operations
}

func BenchmarkCover(b *testing.B) {
	shippedBreadth()
	random := rand.New(rand.NewPCG(5, 6))
	breadth := make(map[string]int)
	for i := range 55 {
		breadth[fmt.Sprintf("s%03d", i)] = random.IntN(60)
	}
	catalog := scopes.Default().Operations()
	for _, bench := range []struct {
		name       string
		operations []scopes.Operation
		breadth    map[string]int
	}{
		{"a job", catalog[100:130], nil},
		{"the whole catalog", catalog, nil},
		{"55 scopes, 5000 random operations of 2 to 3 scopes", randomOperations(random, 55, 5000, 3), breadth},
		{"55 scopes, 5000 random operations of 2 to 6 scopes", randomOperations(random, 55, 5000, 6), breadth},
		{"55 scopes, 200 random operations of 2 to 3 scopes", randomOperations(random, 55, 200, 3), breadth},
		{"55 scopes, 120 random operations of 2 to 4 scopes", randomOperations(random, 55, 120, 4), breadth},
		{"55 scopes, 60 random operations of 2 to 4 scopes", randomOperations(random, 55, 60, 4), breadth},
		{"55 scopes of equal breadth, 120 random operations", randomOperations(random, 55, 120, 4), map[string]int{}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if coverOf(bench.operations, choice{Breadth: bench.breadth}).Greedy {
					b.Fatal("not exact")
				}
			}
		})
	}
}
