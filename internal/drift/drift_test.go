package drift

import (
	"strings"
	"testing"

	"github.com/scopegate/scopegate/scopes"
)

func row(anyOf string) *scopes.Operation {
	o := &scopes.Operation{Method: "GET", Template: "/api/2.1/jobs/list", Evidence: scopes.Documented, Name: "jobs.List"}
	switch anyOf {
	case "*":
		o.Access = scopes.AnyScope
	case "public":
		o.Access = scopes.Public
	case "account":
		o.Access = scopes.AccountOnly
	default:
		o.AnyOf = strings.Split(anyOf, ",")
	}
	return o
}

func TestVerdicts(t *testing.T) {
	t.Parallel()
	const passed = "passed"
	for _, test := range []struct{ name, row, held, named, want string }{
		{"passed as the row says", "a", "a", passed, "agreed"},
		{"passed with more", "a", "a b", passed, "agreed"},
		{"passed by one of a doubtful row", "a,b", "b", passed, "agreed"},
		{"passed with both", "a+b", "a b", passed, "agreed"},
		{"passed with any scope", "*", "z", passed, "agreed"},
		{"passed without", "a", "b", passed, "disagreed"},
		{"passed with one of two", "a+b", "b", passed, "disagreed"},
		{"passed at account level", "account", "b", passed, "disagreed"},
		{"passed with all-apis", "a", "all-apis b", passed, "silent"},
		{"passed without scopes", "a", "", passed, "silent"},
		{"passed where no token is needed", "public", "b", passed, "silent"},

		{"refused as the row says", "a", "b", "a", "agreed"},
		{"refused as a row with several says", "a,b", "z", "a b", "agreed"},
		{"refused naming what is missing of two", "a+b", "a", "b", "agreed"},
		{"refused naming both", "a+b", "a", "a b", "agreed"},
		{"refused naming one in each alternative", "a+b,c", "z", "b c", "agreed"},
		{"refused naming another", "a", "a", "b", "disagreed"},
		{"refused by neither naming the same", "a", "z", "b", "disagreed"},
		{"refused naming fewer", "a,b", "b", "a", "disagreed"},
		{"refused naming more", "a", "z", "a b", "disagreed"},
		{"refused naming more, of which it holds one", "a", "a", "a b", "disagreed"},
		{"refused naming all-apis", "a", "a", "all-apis", "disagreed"},
		{"refused where any scope is said to do", "*", "z", "a", "disagreed"},
		{"refused naming what it holds", "b", "a b", "a", "silent"},
		{"refused with all-apis", "a", "all-apis", "b", "silent"},
		{"refused without scopes", "a", "", "b", "silent"},
		{"refused naming nothing", "a", "b", "", "silent"},
		{"refused where no token is needed", "public", "b", "a", "silent"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := Passed(row(test.row), strings.Fields(test.held))
			if test.named != passed {
				got = Refused(row(test.row), strings.Fields(test.held), Named{Scopes: strings.Fields(test.named)})
			}
			if want := map[string]Verdict{"agreed": Agreed, "disagreed": Disagreed, "silent": Silent}[test.want]; got != want {
				t.Errorf("got %d, want %s", got, test.want)
			}
		})
	}
}

// Code of customers answers these operations, so its words are not the workspace's. That a
// request got there is the workspace's doing.
func TestRelays(t *testing.T) {
	t.Parallel()
	relaying := func(o *scopes.Operation) bool {
		forged := Refused(o, []string{"zz"}, Named{Scopes: []string{"yy"}})
		stranger := Passed(o, []string{"zz"})
		if (forged == Disagreed) != (stranger == Disagreed) {
			t.Errorf("%s: %v, %v", o.Template, forged, stranger)
		}
		return forged == Silent
	}
	catalog := scopes.Default()
	for _, test := range []struct {
		method, path string
		want         bool
	}{
		{"POST", "/serving-endpoints/m/invocations", true},
		{"POST", "/api/2.0/serving-endpoints/m/invocations", true},
		{"POST", "/serving-endpoints/chat/completions", true},
		{"GET", "/driver-proxy-api/o/1/c/8080/x", true},
		{"GET", "/driver-proxy/o/1/c/8080", true},
		{"POST", "/ai-gateway/mlflow/v1/chat/completions", true},
		{"POST", "/api/2.0/mcp/external/c", true},
		{"POST", "/api/2.0/mcp/functions/c/s", true},
		{"POST", "/api/2.0/external-function", true},
		{"POST", "/spark.connect.SparkConnectService/ExecutePlan", true},
		{"GET", "/sql/protocolv1/o/1/c", true},
		{"GET", "/api/2.0/mlflow/traces/x", true},
		{"GET", "/api/9.9/unheard-of", true},
		{"GET", "/api/2.1/jobs/list", false},
		{"GET", "/api/2.0/apps/a", false},
		{"PUT", "/api/2.0/serving-endpoints/m/ai-gateway", false},
		{"GET", "/api/2.0/serving-endpoints/m", false},
		{"GET", "/api/2.0/fs/files/Volumes/a/b/c/d", false},
		{"POST", "/sql/1.0/warehouses/w", false},
	} {
		readings, err := catalog.Read(test.method, test.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := relaying(readings[0].Operation); got != test.want {
			t.Errorf("%s %s (%s): %v", test.method, test.path, readings[0].Operation.Template, got)
		}
	}
	for _, template := range []string{"/api/2.0/unity-catalog/connections/{name}/proxy/{path...}", "/api/2.0/unity-catalog/connections/{name}/proxy", "/apps/{name}/{path...}", "/api/2.0/ai-gateway/{name}"} {
		if !relaying(&scopes.Operation{Method: "POST", Template: template, AnyOf: []string{"a"}, Evidence: scopes.Operator, Name: "x"}) {
			t.Errorf("%s is not one", template)
		}
	}
	proxied := &scopes.Operation{Method: "POST", Template: "/serving-endpoints/{name}/invocations", AnyOf: []string{"a"}, Evidence: scopes.Documented, Name: "x"}
	if Passed(proxied, []string{"a"}) != Agreed {
		t.Error("a model that answers does not confirm that its caller was let through")
	}
}
