package clients_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

func init() {
	plain := Client{
		Name: "curl", Scope: "jobs", Works: "nightly-etl",
		Calls: []Call{Stream, Upload, Download},
		Find:  onPath("curl", "install the package curl"),
		Run: func(ctx context.Context, at Target, call Call) Seen {
			return curl(ctx, at, call, "-H", "Authorization: Bearer "+at.Token)
		},
	}
	netrc := plain
	netrc.Name, netrc.Calls = "curl -n", nil
	netrc.Run = func(ctx context.Context, at Target, call Call) Seen {
		host, _, _ := net.SplitHostPort(at.Host)
		login := fmt.Sprintf("machine %s login token password %s\n", host, at.Token)
		if err := os.WriteFile(filepath.Join(at.Folder, ".netrc"), []byte(login), 0o600); err != nil {
			return failed(err)
		}
		return curl(ctx, at, call, "-n")
	}
	// The gateway refuses an upload before it begins.
	expect := plain
	expect.Name, expect.Scope, expect.Works, expect.Calls = "curl -T", "files", "", []Call{Upload}
	expect.Run = func(ctx context.Context, at Target, _ Call) Seen {
		return plain.Run(ctx, at, Upload)
	}
	register(plain, netrc, expect)
}

// onPath returns a Client.Find for a command.
func onPath(name, hint string) func(*testing.T) string {
	return func(*testing.T) string {
		if _, err := exec.LookPath(name); err != nil {
			return "there is no " + name + " here: " + hint
		}
		return ""
	}
}

func curl(ctx context.Context, at Target, call Call, credential ...string) Seen {
	args := append([]string{"-sS", "--fail-with-body"}, credential...)
	switch call {
	case Stream:
		args = append(args, "-N", "--json", `{"stream":true,"max_tokens":3}`, at.URL+"/serving-endpoints/chat/invocations")
	case Upload:
		args = append(args, "-H", "Expect: 100-continue", "-T", at.Local, at.URL+"/api/2.0/fs/files"+at.Remote)
	case Download:
		args = append(args, "-o", at.Local, at.URL+"/api/2.0/fs/files"+at.Remote)
	default:
		args = append(args, at.URL+"/api/2.2/jobs/list")
	}
	return at.Command(ctx, nil, "curl", args...)
}
