package buildinfo

import (
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/scopes"
)

func TestFrom(t *testing.T) {
	caddy := &debug.Module{Path: caddyPath, Version: "v2.11.9"}
	commit := []debug.BuildSetting{
		{Key: "vcs.revision", Value: "0123456789abcdef"},
		{Key: "vcs.time", Value: "2026-01-02T03:04:05Z"},
		{Key: "vcs.modified", Value: "true"},
	}
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, test := range []struct {
		name    string
		build   *debug.BuildInfo
		release string
		want    Info
	}{
		{name: "no build information", want: Info{Version: "devel", Caddy: "unknown"}},
		{name: "a release without build information", release: "v1.2.3", want: Info{Version: "1.2.3", Caddy: "unknown"}},
		{
			name: "a release", release: "1.2.3",
			build: &debug.BuildInfo{Main: debug.Module{Path: modulePath, Version: "v1.2.2"}, Settings: commit, Deps: []*debug.Module{caddy}},
			want:  Info{Version: "1.2.3", Commit: "0123456789abcdef", Modified: true, Time: at, Caddy: "2.11.9"},
		},
		{
			name:  "go install of a version",
			build: &debug.BuildInfo{Main: debug.Module{Path: modulePath, Version: "v1.2.3"}, Deps: []*debug.Module{caddy}},
			want:  Info{Version: "1.2.3", Caddy: "2.11.9"},
		},
		{
			name:  "go build without a version",
			build: &debug.BuildInfo{Main: debug.Module{Path: modulePath, Version: "(devel)"}, Deps: []*debug.Module{caddy}},
			want:  Info{Version: "devel", Caddy: "2.11.9"},
		},
		{
			name: "another program: its version and its commit are not scopegate's",
			build: &debug.BuildInfo{
				Main: debug.Module{Path: "caddy", Version: "v9.9.9"}, Settings: commit,
				Deps: []*debug.Module{caddy, {Path: modulePath, Version: "v1.2.3"}},
			},
			want: Info{Version: "1.2.3", Caddy: "2.11.9"},
		},
		{
			name: "replaced modules",
			build: &debug.BuildInfo{Main: debug.Module{Path: "caddy"}, Deps: []*debug.Module{
				{Path: caddyPath, Version: "v2.11.9", Replace: &debug.Module{Path: "example.com/fork", Version: "v2.12.0"}},
				{Path: modulePath, Version: "v1.2.3", Replace: &debug.Module{Path: "../scopegate"}},
			}},
			want: Info{Version: "devel", Caddy: "2.12.0"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.want.Go = runtime.Version()
			if diff := cmp.Diff(test.want, from(test.build, test.release)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestRead: the map is the one that is built in.
func TestRead(t *testing.T) {
	got := Read()
	if got.Map != scopes.Default().Version() || got.Version == "" || got.Version != Version() {
		t.Errorf("got %+v and %s", got, Version())
	}
}
