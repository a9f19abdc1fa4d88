package clients_test

import (
	"context"
	"os/exec"
	"testing"
)

func init() {
	register(Client{
		Name: "curl", Scope: "jobs", Works: "nightly-etl",
		Calls: []Call{Stream, Upload, Download},
		Find:  onPath("curl", "install the package curl"),
		Run:   curl,
	})
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

func curl(ctx context.Context, at Target, call Call) Seen {
	args := []string{"-sS", "--fail-with-body", "-H", "Authorization: Bearer " + at.Token}
	switch call {
	case Stream:
		args = append(args, "-N", "--json", `{"stream":true,"max_tokens":3}`, at.URL+"/serving-endpoints/chat/invocations")
	case Upload:
		args = append(args, "-T", at.Local, at.URL+"/api/2.0/fs/files"+at.Remote)
	case Download:
		args = append(args, "-o", at.Local, at.URL+"/api/2.0/fs/files"+at.Remote)
	default:
		args = append(args, at.URL+"/api/2.2/jobs/list")
	}
	return at.Command(ctx, nil, "curl", args...)
}
