package usage

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// lessonOf makes a lesson out of a row, see [op], and answers: "held passed", "held -> named"
// for a refusal that names any one, and "held => named" for one that names all. Whether
// an answer agrees is told by a leading "+".
func lessonOf(t *testing.T, row string, answers ...string) Lesson {
	t.Helper()
	o := op(row)
	r, _ := newTestRecorder(t, 0, 0)
	for _, text := range answers {
		text, agrees := strings.CutPrefix(text, "+")
		held, named, refused := strings.Cut(text, " -> ")
		together := false
		if !refused {
			held, named, together = strings.Cut(text, " => ")
		}
		r.Learn(Answer{Operation: &o, Held: strings.Fields(held), Agreed: agrees, Named: strings.Fields(named), Together: together, At: noon})
	}
	all := r.State().Lessons
	if len(all) != 1 {
		t.Fatalf("%d lessons", len(all))
	}
	return all[0]
}

// sets returns answers about different scopes.
func sets(n int, format string) (answers []string) {
	for i := range n {
		answers = append(answers, fmt.Sprintf(format, i, i))
	}
	return answers
}

func TestCorrection(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		row     string
		answers []string
		want    string // joined by commas; empty for none
	}{
		{"too generous, in doubt", "doubtful access-management apps", []string{"+access-management", "apps -> access-management"}, "access-management"},
		{"too generous, not in doubt", "dashboards sql", []string{"sql -> dashboards"}, "dashboards"},
		{"too strict", "jobs", []string{"+jobs", "pipelines"}, "jobs,pipelines"},
		{"too strict, told by a refusal", "jobs", []string{"sql -> jobs pipelines"}, "jobs,pipelines"},
		{"wrong", "secrets", []string{"secrets -> unity-catalog"}, "unity-catalog"},
		{"wrong, and seen to be right with the other", "doubtful secrets tags", []string{"unity-catalog", "unity-catalog sql"}, "unity-catalog"},
		{"all-apis instead of a scope", "all-apis", []string{"sql"}, "sql"},
		{"all-apis instead of a scope, told by a refusal", "all-apis", []string{"jobs -> sql"}, "sql"},
		{"a scope instead of all-apis", "mlflow", []string{"mlflow -> all-apis"}, "all-apis"},
		{"any scope instead of one", "*", []string{"jobs -> sql", "+sql"}, "sql"},
		{"the list should be wider", "model-serving", []string{"jobs -> model-serving model-serving-inference"}, "model-serving,model-serving-inference"},
		{"the list should be narrower", "a b c", []string{"c -> a b", "+a", "+b"}, "a,b"},
		{"both are needed, as the missing ones are named in turn", "ai-gateway", []string{"ai-gateway -> unity-catalog", "+jobs -> ai-gateway", "+ai-gateway unity-catalog"}, "ai-gateway+unity-catalog"},
		{"both are needed, as all are named", "ai-gateway", []string{"ai-gateway -> ai-gateway unity-catalog"}, "ai-gateway+unity-catalog"},
		{"both are needed, as a challenge says", "ai-gateway", []string{"jobs => ai-gateway unity-catalog"}, "ai-gateway+unity-catalog"},
		{"one is enough where the row says both", "a+b", []string{"a", "+a b"}, "a"},
		{"one of two, and a third", "a", []string{"a -> c", "+x -> a b", "b -> c"}, "a+c,b+c"},
		{"a third beside two", "a+b", []string{"a b -> c"}, "a+b+c"},
		{"a third beside two, and others lack all", "a+b", []string{"a b -> c", "+z -> a"}, "a+b+c"},
		{"a third instead of two", "a+b", []string{"a b -> c", "c"}, "c"},
		{"something else than two", "a+b", []string{"z -> c"}, "c"},
		{"a second one, and tokens with both pass", "a", []string{"a -> b", "+a b"}, "a+b"},
		{"another one, and tokens with both pass, but also without", "a", []string{"a -> b", "+a b", "b"}, "b"},
		{"one of two in doubt, and tokens with both pass", "doubtful a b", []string{"a -> b", "+a b"}, "b"},
		{"each of many passes, and another one", "a", append(sets(maxPassed+5, "+a x%d y%d"), "c"), "a,c"},
		{"account-level", "account", []string{"jobs -> identity"}, "identity"},
		{"the same refusal from many tokens", "secrets", []string{"secrets -> unity-catalog", "secrets sql -> unity-catalog", "secrets jobs -> unity-catalog"}, "unity-catalog"},

		{"nothing disagrees", "a", []string{"+a", "+b -> a"}, ""},
		{"passed with several, so not known with which", "jobs", []string{"pipelines sql"}, ""},
		{"one is proven, but others passed without it", "jobs", []string{"pipelines", "sql tags"}, ""},
		{"the same refusal, and success without what it named", "a", []string{"a -> b", "+a"}, ""},
		{"different refusals of the same scopes", "a", []string{"z -> b", "z -> c"}, ""},
		{"a refusal that names fewer the next time", "a", []string{"z -> b c", "z -> b"}, ""},
		{"all are named, but a part is enough for others", "a b", []string{"a -> a b", "+b"}, ""},
		{"each refusal asks for what the other had, but one passed with less", "a b", []string{"a -> c", "c -> a", "+a b"}, ""},
		{"a part of two beside another one", "a+b d", []string{"z -> a"}, ""},
		{"a dotted name", "sql", []string{"sql -> sql.warehouses:manage"}, ""},
		{"a word that is no scope", "sql", []string{"sql -> public"}, ""},
		{"a dotted name beside two", "a+b", []string{"a b -> sql.statement-execution"}, ""},
		{"a dotted name that was enough", "a", []string{"sql.warehouses"}, ""},
		{"another one instead of a row with which many pass", "a", append(sets(maxPassed+5, "+a x%d y%d"), "a -> b", "b"), ""},
		{"the same, and those that are kept had it", "a", append(append(sets(maxPassed, "+a b x%d y%d"), sets(5, "+a v%d w%d")...), "a -> b", "b"), ""},
		{"so many pass that some are not kept", "a", sets(maxPassed+5, "c x%d y%d"), ""},
		{"it is what the row says already", "a b", []string{"a -> b", "b -> a b", "+b"}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			l := lessonOf(t, "x: "+test.row, test.answers...)
			anyOf, ok := l.Correction()
			if got := strings.Join(anyOf, ","); got != test.want || ok != (test.want != "") {
				t.Errorf("got %q, %v, want %q; %+v", got, ok, test.want, l)
			}
		})
	}
}

// Whatever is learned, a correction is a row that the map accepts, and permits all tokens
// that passed.
func FuzzCorrection(f *testing.F) {
	f.Add("doubtful a b", "a -> b|+b|c")
	f.Add("a+b", "a -> c|c => a b|a b c")
	f.Fuzz(func(t *testing.T, row, text string) {
		answers := strings.Split(text, "|")
		o := op("x: " + row)
		slices.Sort(o.AnyOf)
		o.Source = "test"
		if len(answers) > 40 || check(o) != nil {
			return
		}
		r, _ := newTestRecorder(t, 0, 0)
		for _, one := range answers {
			held, named, _ := strings.Cut(one, " -> ")
			names := sortedSet(strings.Fields(named))
			if len(names) > maxTogether {
				continue
			}
			r.Learn(Answer{Operation: &o, Held: strings.Fields(held), Named: names, At: noon})
		}
		for _, l := range r.State().Lessons {
			anyOf, ok := l.Correction()
			if !ok {
				continue
			}
			corrected := op("x: a")
			corrected.AnyOf, corrected.Source = anyOf, "test"
			if err := check(corrected); err != nil {
				t.Errorf("%q: %v", anyOf, err)
			}
			for _, p := range l.Passed {
				if !corrected.Permits(p.Held) {
					t.Errorf("%q does not permit %q", anyOf, p.Held)
				}
			}
		}
	})
}
