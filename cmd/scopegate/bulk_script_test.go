package main

import (
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
)

// scriptWorkspace is the workspace of a script, for the commands that change it.
type scriptWorkspace struct {
	*fakeworkspace.Workspace
	stop func() // ends the gateway in front of it; nil without one
}

// scriptKey is where a script has its workspace.
type scriptKey struct{}

func holderOf(ts *testscript.TestScript) *scriptWorkspace {
	return ts.Value(scriptKey{}).(*scriptWorkspace)
}

func workspaceOf(ts *testscript.TestScript) *fakeworkspace.Workspace {
	workspace := holderOf(ts).Workspace
	if workspace == nil {
		ts.Fatalf("there is no workspace yet")
	}
	return workspace
}

// mintCommand mints a token in the workspace of a script, and sets $NAME to its value and
// $NAME_ID to its id:
//
//	mint NAME [owner=<name>] [scopes=<a,b>] [comment=<text>] [age=<days>]
func mintCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: mint NAME [owner=…] [scopes=…] [comment=…] [age=…]")
	}
	spec := fakeworkspace.TokenSpec{Comment: args[0]}
	for _, arg := range args[1:] {
		name, value, _ := strings.Cut(arg, "=")
		switch name {
		case "owner":
			spec.Owner = value
		case "scopes":
			spec.Scopes = strings.Split(value, ",")
		case "comment":
			spec.Comment = value
		case "age":
			days, err := strconv.Atoi(value)
			ts.Check(err)
			spec.CreationTime = time.Now().AddDate(0, 0, -days)
		default:
			ts.Fatalf("mint has no argument %s", name)
		}
	}
	token := workspaceOf(ts).Mint(spec)
	ts.Setenv(args[0], token.Value)
	ts.Setenv(args[0]+"_ID", token.Info.TokenId)
}

// peopleCommand makes people leave the workspace of a script: people deactivate|remove <name>.
func peopleCommand(ts *testscript.TestScript, neg bool, args []string) {
	switch {
	case !neg && len(args) == 2 && args[0] == "deactivate":
		workspaceOf(ts).Deactivate(args[1])
	case !neg && len(args) == 2 && args[0] == "remove":
		workspaceOf(ts).RemovePerson(args[1])
	default:
		ts.Fatalf("usage: people deactivate|remove <name>")
	}
}

// holdsCommand checks the scopes of a token: holds <id> <a,b>, where none stands for no scopes
// and gone for a token that was revoked.
func holdsCommand(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: holds <id> <scopes>")
	}
	if held := heldBy(ts, args[0]); (held == args[1]) == neg {
		ts.Fatalf("the token holds %s", held)
	}
}

// becomesCommand is holds for what another process is about to do.
func becomesCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: becomes <id> <scopes>")
	}
	for deadline := time.Now().Add(30 * time.Second); heldBy(ts, args[0]) != args[1]; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			ts.Fatalf("the token holds %s", heldBy(ts, args[0]))
		}
	}
}

func heldBy(ts *testscript.TestScript, id string) string {
	info, found := workspaceOf(ts).Info(id)
	held := strings.Join(slices.Sorted(slices.Values(info.Scopes)), ",")
	switch {
	case !found:
		return "gone"
	case held == "":
		return "none"
	}
	return held
}

// faultCommand makes requests to the workspace of a script fail: fault 500|429|off <METHOD> <path> [times].
func faultCommand(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) == 1 && args[0] == "off" {
		workspaceOf(ts).Faults().Clear()
		return
	}
	if neg || len(args) < 3 {
		ts.Fatalf("usage: fault 500|429|off <METHOD> <path> [times]")
	}
	kind := fakeworkspace.InternalError()
	if args[0] == "429" {
		kind = fakeworkspace.TooManyRequests("1")
	}
	options := []fakeworkspace.FaultOption{fakeworkspace.OnMethod(args[1])}
	if len(args) == 4 {
		times, err := strconv.Atoi(args[3])
		ts.Check(err)
		options = append(options, fakeworkspace.Times(times))
	}
	workspaceOf(ts).Faults().Set(args[2], kind, options...)
}

// callCommand sends a request with a token to the gateway of a script, and checks its status:
// call <token> <METHOD> <path> <status> [times].
func callCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 4 {
		ts.Fatalf("usage: call <token> <METHOD> <path> <status> [times]")
	}
	times := 1
	if len(args) == 5 {
		var err error
		times, err = strconv.Atoi(args[4])
		ts.Check(err)
	}
	for range times {
		request, err := http.NewRequest(args[1], ts.Getenv("GATEWAY_URL")+args[2], nil)
		ts.Check(err)
		request.Header.Set("Authorization", "Bearer "+args[0])
		answer, err := http.DefaultClient.Do(request)
		ts.Check(err)
		body, _ := io.ReadAll(answer.Body)
		_ = answer.Body.Close()
		if fmt.Sprint(answer.StatusCode) != args[3] {
			ts.Fatalf("%s %s: %d %s", args[1], args[2], answer.StatusCode, body)
		}
	}
}

// legacyCommand mints tokens without scopes in the workspace of a script, ten for each owner, and
// lists jobs with each: legacy <n>.
func legacyCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: legacy <n>")
	}
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	for i := range n {
		token := workspaceOf(ts).Mint(fakeworkspace.TokenSpec{Owner: fmt.Sprintf("owner%d@example.com", i/10), Comment: fmt.Sprintf("legacy %d", i)})
		callCommand(ts, false, []string{token.Value, http.MethodGet, "/api/2.2/jobs/list", "200"})
	}
}

// sidecarCommand starts a gateway in front of the workspace of a script, signed in as a service
// principal, and sets $GATEWAY_URL and $CADDY_ADMIN: sidecar [flags], or sidecar run <Caddyfile>
// with {$WORKSPACE}, {$LISTEN} and {$ADMIN} in the file. It is killed at the end, and by sidecar stop.
func sidecarCommand(ts *testscript.TestScript, neg bool, args []string, listen, admin string) {
	if neg {
		ts.Fatalf("sidecar cannot fail")
	}
	if len(args) == 1 && args[0] == "stop" {
		holderOf(ts).stop()
		return
	}
	workspace := workspaceOf(ts)
	id, secret := workspace.AdminClient()
	command := exec.Command("scopegate", append([]string{"sidecar", "--workspace", workspace.URL(), "--listen", listen, "--admin", admin}, args...)...)
	if len(args) == 2 && args[0] == "run" {
		command = exec.Command("scopegate", "run", "--adapter", "caddyfile", "--config", ts.MkAbs(args[1]))
	}
	for _, name := range []string{"PATH", "HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "TMPDIR"} {
		command.Env = append(command.Env, name+"="+ts.Getenv(name))
	}
	command.Env = append(command.Env, "DATABRICKS_CLIENT_ID="+id, "DATABRICKS_CLIENT_SECRET="+secret, "WORKSPACE="+workspace.URL(), "LISTEN="+listen, "ADMIN="+admin)
	var log strings.Builder
	command.Stdout, command.Stderr = &log, &log
	ts.Check(command.Start())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = command.Wait() // it is killed
	}()
	stop := func() {
		_ = command.Process.Kill() // fails if it has ended
		<-ended
	}
	ts.Defer(stop)
	holderOf(ts).stop = stop
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		answer, err := http.Get("http://" + admin + "/databricks_scopes/health")
		if err == nil {
			_ = answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				break
			}
		}
		select {
		case <-ended:
			ts.Fatalf("the gateway has ended:\n%s", log.String())
		default:
		}
		if time.Now().After(deadline) {
			ts.Fatalf("the gateway is not ready")
		}
	}
	ts.Setenv("GATEWAY_URL", "http://"+listen)
	ts.Setenv("CADDY_ADMIN", admin)
}
