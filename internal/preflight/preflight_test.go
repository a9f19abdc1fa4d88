package preflight

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/scopes"
)

// find returns the only result of a check, and fails if there is another number of them.
func find(t *testing.T, r *Report, check string) Result {
	t.Helper()
	var found []Result
	for _, result := range r.Results {
		if result.Check == check {
			found = append(found, result)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d results of %s: %+v", len(found), check, r.Results)
	}
	return found[0]
}

// expect compares a result with a status and a part of its texts.
func expect(t *testing.T, r *Report, check string, status Status, says string) {
	t.Helper()
	result := find(t, r, check)
	if result.Status != status || !strings.Contains(result.Detail+"; "+result.Advice, says) {
		t.Errorf("%s: %+v, want %s and %q", check, result, status, says)
	}
	if status == Fail && result.Detail == "" || status == Warn && result.Advice == "" {
		t.Errorf("%+v says not what to do", result)
	}
}

func startWorkspace(t *testing.T) *fakeworkspace.Workspace {
	t.Helper()
	known := scopes.KnownScopes()
	workspace := fakeworkspace.New(fakeworkspace.WithScopeNames(known, known))
	if err := workspace.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(workspace.Close)
	return workspace
}

// closedAddress returns one on which nothing listens.
func closedAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

func TestWorkspace(t *testing.T) {
	t.Parallel()
	type expected struct {
		check  string
		status Status
		says   string
	}
	for _, test := range []struct {
		name     string
		prepare  func(w *fakeworkspace.Workspace) (token string)
		down     bool
		readOnly bool
		want     []expected
	}{
		{name: "all ok", want: []expected{
			{checkReach, OK, "reachable (TCP "}, {checkClock, OK, "agrees to 1s"}, {checkDirect, Warn, "--from-client"},
			{checkCredential, OK, "signed in as "}, {checkRule, OK, "SHA-256"}, {checkNames, OK, "knows every scope name"},
		}},
		{name: "read only", readOnly: true, want: []expected{{checkCredential, OK, "can look up"}, {checkRule, Skip, "--read-only"}}},
		{name: "down", down: true, want: []expected{{checkReach, Fail, "nothing accepts connections"}, {checkCredential, Skip, "does not answer"}}},
		{name: "credential refused", prepare: func(*fakeworkspace.Workspace) string { return "dapi" + strings.Repeat("0", 32) }, want: []expected{
			{checkReach, OK, "reachable"}, {checkCredential, Fail, "refused the admin credential"}, {checkRule, Skip, "credential that works"},
		}},
		{name: "not an admin", prepare: func(w *fakeworkspace.Workspace) string { return w.Mint(fakeworkspace.TokenSpec{}).Value }, want: []expected{
			{checkCredential, Fail, "must belong to a workspace admin"}, {checkRule, Skip, ""},
		}},
		{name: "fails itself", prepare: func(w *fakeworkspace.Workspace) string {
			w.Faults().Set("/", fakeworkspace.InternalError())
			return w.AdminToken()
		}, want: []expected{{checkReach, Warn, "it answers 500"}, {checkCredential, Fail, "Token Management API failed"}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			workspace := startWorkspace(t)
			token, url := workspace.AdminToken(), workspace.URL()
			if test.prepare != nil {
				token = test.prepare(workspace)
			}
			if test.down {
				url = "http://" + closedAddress(t)
			}
			var report Report
			plan := Plan{Workspaces: []Workspace{{URL: url, Admin: tokens.Admin{Token: func() (string, error) { return token, nil }}}}}
			Run(t.Context(), &plan, Options{Timeout: 5 * time.Second, ReadOnly: test.readOnly}, &report)
			for _, want := range test.want {
				expect(t, &report, want.check, want.status, want.says)
			}
			var shown bytes.Buffer
			if err := errors.Join(report.WriteTable(&shown), report.WriteJSON(&shown)); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(shown.String(), token) {
				t.Error("the credential is shown")
			}
		})
	}
}

func TestClock(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		off    time.Duration
		status Status
		says   string
	}{
		"agrees": {2 * time.Second, OK, "agrees"},
		"behind": {5 * time.Minute, Warn, "behind that of the workspace"},
		"ahead":  {-5 * time.Minute, Warn, "ahead that of the workspace"},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Date", time.Now().Add(test.off).UTC().Format(http.TimeFormat))
		}))
		t.Cleanup(server.Close)
		r, err := reach(t.Context(), server.URL, 5*time.Second, nil)
		if err != nil {
			t.Fatal(name, err)
		}
		var report Report
		(&checks{Report: &report}).clock(server.URL, &r)
		expect(t, &report, checkClock, test.status, test.says)
	}
}

func TestSecrets(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	for parent := folder; parent != os.TempDir(); parent = filepath.Dir(parent) { // as a folder of everybody's
		if err := os.Chmod(parent, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	closed := filepath.Join(folder, "closed")
	if err := errors.Join(os.Mkdir(closed, 0o700), os.Mkdir(filepath.Join(folder, "..data"), 0o755)); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		path   string
		mode   os.FileMode
		status Status
		says   string
	}{
		"private":          {"private", 0o600, OK, "not by other users"},
		"world-readable":   {"open", 0o644, Fail, "chmod o-rwx"},
		"in a closed one":  {"closed/open", 0o644, OK, "not by other users"},
		"of a Kubernetes":  {"..data/open", 0o644, Warn, "0440"},
		"none":             {"", 0, Fail, "cannot be read"},
		"nothing but room": {"empty", 0o600, Fail, "is empty"},
	} {
		path := filepath.Join(folder, "none")
		if test.path != "" {
			path = filepath.Join(folder, test.path)
			content := "dose0123456789"
			if test.path == "empty" {
				content = " \n"
			}
			if err := errors.Join(os.WriteFile(path, []byte(content), 0o600), os.Chmod(path, test.mode)); err != nil {
				t.Fatal(err)
			}
		}
		var report Report
		Run(t.Context(), &Plan{Secrets: []string{"{file." + path + "}"}}, Options{}, &report)
		t.Log(name)
		expect(t, &report, checkSecret, test.status, test.says)
		if strings.Contains(report.Results[0].Detail, "dose") {
			t.Error("a secret is shown")
		}
	}
	var report Report
	Run(t.Context(), &Plan{Secrets: []string{"{env.SCOPEGATE_NOT_SET}"}}, Options{}, &report)
	expect(t, &report, checkSecret, Fail, "SCOPEGATE_NOT_SET is not set")
}

func TestListens(t *testing.T) {
	t.Parallel()
	gateway := startGateway(t)
	other := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(other.Close)
	at := func(name, url string, err error) Listen {
		return Listen{Name: name, Network: "tcp", Address: strings.TrimPrefix(url, "http://"), Admin: name == "admin API", Free: func() (bool, error) { return err != nil, err }}
	}
	taken := errors.New("another process listens there")
	for _, test := range []struct {
		listen Listen
		also   []Listen
		status Status
		says   string
	}{
		{at("gateway", other.URL, nil), nil, OK, "free for the gateway"},
		{at("gateway", other.URL, taken), nil, Fail, "another process"},
		{at("gateway", gateway.URL, taken), nil, Warn, "a scopegate gateway already runs there"},
		{at("admin API", gateway.URL, taken), nil, Fail, "another process"},
		{at("admin API", other.URL, taken), []Listen{at("gateway", gateway.URL, taken)}, Warn, "most likely"},
	} {
		var report Report
		Run(t.Context(), &Plan{Listens: append(test.also, test.listen)}, Options{Timeout: 5 * time.Second}, &report)
		last := Report{Results: report.Results[len(report.Results)-1:]}
		expect(t, &last, checkListen, test.status, test.says)
	}
}

// startGateway starts what refuses as a gateway does.
func startGateway(t *testing.T) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			t.Error("a credential is sent")
		}
		w.Header().Set("X-Scopegate-Reason", "missing_credential")
		w.WriteHeader(http.StatusUnauthorized)
	}))
	t.Cleanup(server.Close)
	return server
}

func TestFromClient(t *testing.T) {
	t.Parallel()
	gateway, workspace := startGateway(t), startWorkspace(t)
	secure := httptest.NewTLSServer(http.NotFoundHandler())
	secure.Config.ErrorLog = nil
	t.Cleanup(secure.Close)
	closed := "http://" + closedAddress(t)
	for _, test := range []struct {
		name, workspace, gateway string
		direct, judges           Status
		says                     string // of the direct way
	}{
		{"as it should be", closed, gateway.URL, OK, OK, "closed: nothing accepts connections"},
		{"open", workspace.URL(), gateway.URL, Fail, OK, "without the gateway"},
		{"open with another certificate", secure.URL, gateway.URL, Fail, OK, "an answer of the workspace's address"},
		{"no gateway", closed, closed, OK, Fail, "closed"},
		{"the workspace instead of a gateway", closed, workspace.URL(), OK, Fail, "closed"},
		{"cut", cutting(t), gateway.URL, Warn, OK, "no request is answered"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var report Report
			RunFromClient(t.Context(), test.workspace, test.gateway, 5*time.Second, &report)
			expect(t, &report, checkDirect, test.direct, test.says)
			says := ""
			if test.judges == OK {
				says = "without TLS it cannot be proven whose gateway it is"
			}
			expect(t, &report, checkGateway, test.judges, says)
		})
	}
}

// cutting returns the URL of a firewall that accepts connections and ends them.
func cutting(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			_ = connection.Close()
		}
	}()
	return "http://" + listener.Addr().String()
}

func TestWritable(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	file := filepath.Join(folder, "file")
	if err := os.WriteFile(file, []byte("kept"), 0o600); err != nil {
		t.Fatal(err)
	}
	var report Report
	plan := Plan{Folders: []string{filepath.Join(folder, "new", "state"), filepath.Join(file, "state")}, Files: []string{file, filepath.Join(folder, "new.jsonl")}}
	Run(t.Context(), &plan, Options{}, &report)
	want := []Status{OK, Fail, OK, OK}
	for i, result := range report.Results {
		if result.Status != want[i] {
			t.Errorf("%+v, want %s", result, want[i])
		}
	}
	left, err := os.ReadDir(folder)
	if err != nil || len(left) != 1 {
		t.Errorf("it left %v, %v", left, err)
	}
	if content, err := os.ReadFile(file); err != nil || string(content) != "kept" {
		t.Errorf("%q, %v", content, err)
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	var report Report
	report.Add("configuration", "Caddyfile", "valid", nil)
	report.warn(checkDirect, "https://a", "it is open", "close it")
	report.Add("configuration", "", "", errors.Join(errors.New("one"), errors.New("two\x1b[0m")))
	report.skip(checkRule, "https://a", "no credential")
	var shown strings.Builder
	if err := report.WriteTable(io.Writer(&shown)); err != nil {
		t.Fatal(err)
	}
	const want = `ok    configuration  Caddyfile: valid
warn  direct way     https://a: it is open; close it
fail  configuration  one; two\u{1b}[0m
skip  id rule        https://a: no credential
1 ok, 1 to look at, 1 failed, 1 skipped
`
	if shown.String() != want {
		t.Errorf("it shows\n%s", &shown)
	}
}
