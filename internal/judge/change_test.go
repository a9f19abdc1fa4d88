package judge

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/scopes"
)

// forgotten is a [Forgetter] that notes what it is told, but for unknown tokens.
type forgotten struct {
	told    []string
	unknown int
}

func (f *forgotten) Purge(id tokens.ID) bool { f.note("token " + id.String()[:4]); return true }
func (f *forgotten) ForgetOwner(id int64)    { f.note(fmt.Sprint("owner ", id)) }
func (f *forgotten) ForgetAll()              { f.note("all") }
func (f *forgotten) ForgetOwners()           { f.note("owners") }
func (f *forgotten) ForgetUnknown()          { f.unknown++ }
func (f *forgotten) Doubt()                  { f.note("doubt all") }
func (f *forgotten) DoubtOwners()            { f.note("doubt owners") }

func (f *forgotten) note(what string) { f.told = append(f.told, what) }

var (
	anID    = strings.Repeat("ab12", 16)
	otherID = strings.Repeat("cd34", 16)
)

// judged returns what a judge knows of a request for a change with a known token.
func judged(t testing.TB, r *http.Request) *Judgement {
	t.Helper()
	j := new(Judgement)
	j.Facts.Source = tokens.FromCache
	readings, err := scopes.Default().Read(r.Method, r.URL.EscapedPath(), nil)
	if err == nil {
		j.setReadings(readings)
	}
	return j
}

// forgets returns what is forgotten after a request that is answered with 200.
func forgets(t testing.TB, r *http.Request) string {
	t.Helper()
	var f forgotten
	changed := judged(t, r).WatchChange(r, &f)
	if changed == nil {
		return "nothing"
	}
	if r.Body != nil {
		_, _ = io.Copy(io.Discard, r.Body)
	}
	changed(http.StatusOK)
	if f.unknown == 0 {
		t.Error("unknown tokens were not forgotten")
	}
	return strings.Join(f.told, ", ")
}

func requestOf(t testing.TB, method, target, body string) *http.Request {
	t.Helper()
	r := httptest.NewRequest(method, "/", strings.NewReader(body))
	u, err := url.ParseRequestURI(target)
	if err != nil {
		t.Fatal(err)
	}
	r.URL = u
	return r
}

// TestChangesByPath: the id is found in every spelling that leads to the operation, and
// where it cannot be, everything is forgotten.
func TestChangesByPath(t *testing.T) {
	t.Parallel()
	const manage = "/api/2.0/token-management/tokens/"
	upper := strings.ToUpper(anID)
	encoded := strings.ReplaceAll(anID, "a", "%61")
	twice := strings.ReplaceAll(anID, "a", "%2561")
	for _, test := range []struct{ name, method, target, want string }{
		{"revoked", "DELETE", manage + anID, "token ab12"},
		{"rescoped", "PATCH", manage + anID, "token ab12"},
		{"rescoped by its owner", "PATCH", "/api/2.0/token/" + anID, "token ab12"},
		{"with a slash at the end", "DELETE", manage + anID + "/", "token ab12"},
		{"with slashes at the end", "DELETE", manage + anID + "//", "doubt all"},
		{"with a dot at the end", "DELETE", manage + anID + "/.", "doubt all"},
		{"with a space", "DELETE", manage + anID + "%20", "token ab12"},
		{"with a space before it", "DELETE", manage + "%20" + anID, "token ab12"},
		{"with a parameter", "DELETE", manage + anID + ";x", "doubt all"},
		{"with an encoded parameter", "DELETE", manage + anID + "%3bx=1", "doubt all"},
		{"behind dots", "DELETE", manage + "././" + anID, "doubt all"},
		{"behind dots and up", "DELETE", "/api/2.0/clusters/../token-management/tokens/" + anID, "doubt all"},
		{"behind another id and up", "DELETE", manage + otherID + "/../" + anID, "doubt all"},
		{"in upper case", "DELETE", manage + upper, "token ab12"},
		{"in mixed case, path too", "DELETE", "/API/2.0/Token-Management/Tokens/" + upper, "token ab12"},
		{"percent-encoded", "DELETE", manage + encoded, "token ab12"},
		{"percent-encoded twice", "DELETE", manage + twice, "token ab12"},
		{"the path percent-encoded", "DELETE", "/api/2.0/token-management/%74okens/" + anID, "doubt all"},
		{"an encoded slash before it", "DELETE", "/api/2.0/token-management/tokens%2f" + anID, "doubt all"},
		{"an encoded slash after it", "DELETE", manage + anID + "%2f", "token ab12"},
		{"two ids", "DELETE", manage + otherID + "%2f" + anID, "doubt all"},
		{"another version", "DELETE", "/api/2.1/token-management/tokens/" + anID, "token ab12"},
		{"a query", "DELETE", manage + anID + "?o=1", "token ab12"},
		{"another id in the query", "DELETE", manage + anID + "?token_id=" + otherID, "doubt all"},
		{"no id", "DELETE", manage + "x", "doubt all"},
		{"an id that is too long", "DELETE", manage + anID + "0", "doubt all"},
		{"an id with something in it", "DELETE", manage + anID[:32] + "%e2%80%8b" + anID[32:], "doubt all"},
		{"NUL after it", "DELETE", manage + anID + "%00", "doubt all"},
		{"an unmapped path", "DELETE", "/ajax-api/9.9/token-management/tokens/x/y/" + anID, "doubt all"},
		{"looked at", "GET", manage + anID, "nothing"},
		{"listed", "GET", "/api/2.0/token/list", "nothing"},

		{"made", "POST", "/api/2.0/token/create", ""},
		{"made for another", "POST", "/api/2.0/token-management/on-behalf-of/tokens", ""},
		{"who may use tokens", "PUT", "/api/2.0/permissions/authorization/tokens", "all"},
		{"who may use tokens as well", "PATCH", "/api/2.0/permissions/authorization/tokens/", "all"},
		{"who may use tokens, by an old path", "PUT", "/api/2.0/preview/permissions/authorization/tokens", "all"},
		{"who may use a job", "PUT", "/api/2.0/permissions/jobs/123", "nothing"},
		{"who may use a job, by an old path", "PUT", "/api/2.0/preview/permissions/jobs/123", "nothing"},
		{"permissions of a group to another", "POST", "/api/2.0/permissionmigration", "all"},
		{"whether there are tokens", "PATCH", "/api/2.0/workspace-conf", "all"},

		{"a user deleted", "DELETE", "/api/2.0/preview/scim/v2/Users/42", "owner 42"},
		{"a user changed", "PATCH", "/api/2.0/preview/scim/v2/Users/42/", "owner 42"},
		{"a user replaced", "PUT", "/api/2.0/scim/v2/users/42", "owner 42"},
		{"a user in odd spelling", "DELETE", "/api/2.0/preview/scim/v2/Users/042", "doubt owners"},
		{"a user in odd spelling as well", "DELETE", "/api/2.0/preview/scim/v2/Users/42;x", "doubt owners"},
		{"a user with a space", "DELETE", "/api/2.0/preview/scim/v2/Users/42%20", "owner 42"},
		{"a service principal deleted", "DELETE", "/api/2.0/preview/scim/v2/ServicePrincipals/42", "owner 42"},
		{"a service principal changed", "PATCH", "/api/2.0/scim/v2/ServicePrincipals/42", "owner 42"},
		{"a group deleted", "DELETE", "/api/2.0/preview/scim/v2/Groups/42", "all"},
		{"members changed", "PATCH", "/api/2.0/scim/v2/Groups/42", "all"},
		{"many at once", "POST", "/api/2.0/scim/v2/Bulk", "owners"},
		{"a user made", "POST", "/api/2.0/preview/scim/v2/Users", "nothing"},
		{"users listed", "GET", "/api/2.0/preview/scim/v2/Users", "nothing"},
		{"a user of the newer API", "DELETE", "/api/2.0/identity/users/42", "owners"},
		{"a member of the newer API", "DELETE", "/api/2.0/identity/groups/1/direct-members/2", "all"},
		{"an unmapped path to users", "DELETE", "/ajax-api/9/scim/v2/Users/42", "owner 42"},

		{"a file of tokens", "PUT", "/api/2.0/fs/files/Volumes/a/b/tokens/1", "nothing"},
		{"a job run", "POST", "/api/2.2/jobs/run-now", "nothing"},
		{"an unmapped path", "POST", "/api/9.9/nothing", "nothing"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := forgets(t, requestOf(t, test.method, test.target, "")); got != test.want {
				t.Errorf("%s %s forgets %q, want %q", test.method, test.target, got, test.want)
			}
		})
	}
}

// TestChangesByBody: the id is taken from one plain JSON object, and from anything else
// nothing.
func TestChangesByBody(t *testing.T) {
	t.Parallel()
	named := `{"token_id": "` + anID + `"}`
	blank := strings.Repeat(" ", 5<<10)
	for _, test := range []struct {
		name, body string
		change     func(*http.Request)
		want       string
	}{
		{"plain", named, nil, "token ab12"},
		{"in upper case", strings.ToUpper(anID[:0]) + `{"token_id":"` + strings.ToUpper(anID) + `"}`, nil, "token ab12"},
		{"blanks before it", blank + named, nil, "token ab12"},
		{"blanks after it", named + blank, nil, "token ab12"},
		{"escaped", `{"token\u005fid": "\u0061` + anID[1:] + `"}`, nil, "token ab12"},
		{"chunked", named, func(r *http.Request) { r.ContentLength = -1 }, "token ab12"},
		{"in small pieces", named, func(r *http.Request) { r.Body = io.NopCloser(iotest.OneByteReader(r.Body)) }, "token ab12"},
		{"not encoded", named, func(r *http.Request) { r.Header.Set("Content-Encoding", "identity") }, "token ab12"},

		{"more blanks than are kept", strings.Repeat(" ", maxWatchedBody) + named, nil, "doubt all"},
		{"more blanks after it than are kept", named + strings.Repeat("\n", maxWatchedBody), nil, "doubt all"},
		{"encoded", named, func(r *http.Request) { r.Header.Set("Content-Encoding", "gzip") }, "doubt all"},
		{"encoded twice", named, func(r *http.Request) { r.Header["Content-Encoding"] = []string{"identity", "gzip"} }, "doubt all"},
		{"cut off", named, func(r *http.Request) {
			r.Body = io.NopCloser(io.MultiReader(strings.NewReader(named), iotest.ErrReader(io.ErrUnexpectedEOF)))
			r.ContentLength = -1
		}, "doubt all"},
		{"not read to its end", named, func(r *http.Request) {
			r.Body = io.NopCloser(io.MultiReader(strings.NewReader(named), iotest.ErrReader(io.ErrUnexpectedEOF)))
			r.ContentLength = 1000
		}, "doubt all"},
		{"no body", "", func(r *http.Request) { r.Body = http.NoBody }, "doubt all"},
		{"empty", "", nil, "doubt all"},
		{"no JSON", "token_id=" + anID, nil, "doubt all"},
		{"an array", "[" + named + "]", nil, "doubt all"},
		{"a text", `"` + anID + `"`, nil, "doubt all"},
		{"two objects", named + named, nil, "doubt all"},
		{"a byte order mark", "\ufeff" + named, nil, "doubt all"},
		{"no member", "{}", nil, "doubt all"},
		{"twice", `{"token_id": "` + otherID + `", "token_id": "` + anID + `"}`, nil, "doubt all"},
		{"twice in two cases", `{"token_id": "` + otherID + `", "TOKEN_ID": "` + anID + `"}`, nil, "doubt all"},
		{"under two names", `{"token_id": "` + otherID + `", "tokenId": "` + anID + `"}`, nil, "doubt all"},
		{"in another case", `{"Token_ID": "` + anID + `"}`, nil, "doubt all"},
		{"more members", `{"token_id": "` + anID + `", "x": 1}`, nil, "doubt all"},
		{"inside", `{"x": ` + named + `}`, nil, "doubt all"},
		{"a list", `{"token_id": ["` + anID + `"]}`, nil, "doubt all"},
		{"null", `{"token_id": null}`, nil, "doubt all"},
		{"with a blank", `{"token_id": "` + anID + ` "}`, nil, "doubt all"},
		{"not UTF-8", `{"token_id": "` + anID + "\xff\"}", nil, "doubt all"},
		{"no id", `{"token_id": "x"}`, nil, "doubt all"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := requestOf(t, "POST", "/api/2.0/token/delete", test.body)
			if test.change != nil {
				test.change(r)
			}
			if got := forgets(t, r); got != test.want {
				t.Errorf("forgets %q, want %q", got, test.want)
			}
		})
	}
}

// TestChangeAnswers: what may have been changed is forgotten unless the workspace says
// that it was not.
func TestChangeAnswers(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		status int
		want   bool
	}{
		{200, true}, {204, true}, {302, true}, {500, true}, {502, true}, {504, true},
		{0, true}, {499, true}, {408, true}, // nobody knows
		{400, false}, {401, false}, {403, false}, {404, false}, {429, false},
	} {
		r := requestOf(t, "DELETE", "/api/2.0/token-management/tokens/"+anID, "")
		var f forgotten
		judged(t, r).WatchChange(r, &f)(test.status)
		if got := slices.Contains(f.told, "token ab12"); got != test.want || (f.unknown > 0) != (test.status/100 == 2) {
			t.Errorf("status %d: forgets %v, %d times unknown tokens", test.status, f.told, f.unknown)
		}
	}
}

// TestChangesUnjudged: a request that is not judged passes if refusals are only recorded.
func TestChangesUnjudged(t *testing.T) {
	t.Parallel()
	for target, want := range map[string]string{
		"/api/2.0/token-management/tokens/" + anID: "doubt all",
		"/api/2.0/scim/v2/Users/42":                "doubt owners",
		"/api/2.2/jobs/run-now":                    "nothing",
	} {
		r := requestOf(t, "POST", target, "")
		var f forgotten
		got := "nothing"
		if changed := new(Judgement).WatchChange(r, &f); changed != nil {
			changed(http.StatusOK)
			got = strings.Join(f.told, ", ")
		}
		if got != want {
			t.Errorf("%s forgets %q, want %q", target, got, want)
		}
	}
}

// TestChangesOfStrangers: for a request whose credential was not judged, only the workspace's
// word counts.
func TestChangesOfStrangers(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]string{200: "all", 204: "all", 0: "", 302: "", 403: "", 408: "", 499: "", 500: ""} {
		r := requestOf(t, "DELETE", "/api/2.0/preview/scim/v2/Groups/7", "")
		j := judged(t, r)
		j.Facts.Source = ""
		var f forgotten
		j.WatchChange(r, &f)(status)
		if got := strings.Join(f.told, ", "); got != want {
			t.Errorf("status %d forgets %q, want %q", status, got, want)
		}
	}
}

// TestUncertainChanges: what is not certain to have changed is doubted and not forgotten.
func TestUncertainChanges(t *testing.T) {
	t.Parallel()
	for target, want := range map[string]string{
		"/api/2.0/preview/scim/v2/Groups/7":  "doubt all",
		"/api/2.0/preview/scim/v2/Users/42":  "doubt owners",
		"/api/2.0/scim/v2/Bulk":              "doubt owners",
		"/api/2.0/token-management/tokens/x": "doubt all",
	} {
		for _, status := range []int{0, 302, 408, 499, 500} {
			r := requestOf(t, "DELETE", target, "")
			var f forgotten
			judged(t, r).WatchChange(r, &f)(status)
			if got := strings.Join(f.told, ", "); got != want {
				t.Errorf("%s, %d: forgets %q, want %q", target, status, got, want)
			}
		}
	}
}

// TestChangesAreComplete: every row that could be about tokens or those who own them is
// either a change or known to be none.
func TestChangesAreComplete(t *testing.T) {
	t.Parallel()
	suspect := regexp.MustCompile(`(?i)token|scim|/identity/|/groups|principals|permission-?(assign|migrat)|workspace-conf|authorization|/settings/\{`)
	none := regexp.MustCompile(`^(` + strings.Join([]string{
		`.*\.(Get|List|Create|Resolve)\w*`,      // nothing that has tokens
		`oauth2\..*`,                            // signing in
		`iam\.UsersV2\.(Set|Update)Permissions`, // passwords
		`settingsv2\.AccountSettingsV2\.PatchPublicAccountUserPreference`,
		`settings\.CredentialsManager\.ExchangeToken`, // tokens of other services
		`sharing\..*`, // tokens of recipients
		`disasterrecovery\..*`,
	}, "|") + `)$`)
	names := make(map[string]bool)
	for _, o := range scopes.Default().Operations() {
		names[o.Name] = true
		_, changes := changes[o.Name]
		if o.Method == http.MethodGet || changes || slices.Contains(byPath, o.Name) || !suspect.MatchString(o.Template) {
			continue
		}
		if !none.MatchString(o.Name) {
			t.Errorf("does %s change tokens? %s %s", o.Name, o.Method, o.Template)
		}
	}
	for name := range changes {
		if !names[name] {
			t.Errorf("there is no operation %s", name)
		}
	}
	for _, name := range byPath {
		if !names[name] {
			t.Errorf("there is no operation %s", name)
		}
	}
}

func FuzzTokenInBody(f *testing.F) {
	f.Add([]byte(`{"token_id": "` + anID + `"}`))
	f.Add([]byte(` {"token_id": "` + anID + `", "token_id": "` + otherID + `"}`))
	f.Add([]byte(`{"token\u005fid": "x"}`))
	f.Add([]byte("[]"))
	f.Fuzz(func(t *testing.T, body []byte) {
		id, ok := tokenInBody(body)
		if !ok {
			if !id.IsZero() && ok {
				t.Error("an id that is not believed")
			}
			return
		}
		// Nothing but the id, however its letters are escaped.
		if n := bytes.Count(body, []byte{'"'}); n != 4 {
			t.Errorf("%d quotation marks in %q", n, body)
		}
		if !bytes.Contains(body, []byte("\\")) && !bytes.Contains(bytes.ToLower(body), []byte(id.String())) {
			t.Errorf("%v is not in %q", id, body)
		}
	})
}

func FuzzTokenInPaths(f *testing.F) {
	f.Add("/api/2.0/token-management/tokens/" + anID)
	f.Add("/api/2.0/token-management/tokens/%2561" + anID[1:])
	f.Add("/token/" + anID + "/../" + otherID)
	f.Fuzz(func(t *testing.T, path string) {
		id, ok := tokenInPaths([]string{path}, "")
		if ok && strings.Count(strings.ToLower(decodeAll(path)), id.String()) == 0 {
			t.Errorf("%v is not in %q", id, path)
		}
	})
}
