package gatewaycmd

import (
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/buildinfo"
)

func TestPrintVersion(t *testing.T) {
	release := buildinfo.Info{
		Version: "1.2.3", Commit: "0123456789abcdef", Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		Map: "6c3f8a", Go: "go1.26.5", Caddy: "2.11.9",
	}
	modified, unnamed := release, release
	modified.Modified = true
	unnamed.Version, unnamed.Commit, unnamed.Time = "devel", "", time.Time{}
	for _, test := range []struct {
		name        string
		info        buildinfo.Info
		lines, line string
	}{
		{
			"a release", release,
			"scopegate  1.2.3\ncommit     0123456789abcdef of 2026-01-02T03:04:05Z\nmap        6c3f8a\nGo         go1.26.5\nCaddy      2.11.9\n",
			"scopegate 1.2.3 (map 6c3f8a, go1.26.5, Caddy 2.11.9, commit 0123456789abcdef of 2026-01-02T03:04:05Z)",
		},
		{
			"with changes", modified,
			"scopegate  1.2.3\ncommit     0123456789abcdef with changes of 2026-01-02T03:04:05Z\nmap        6c3f8a\nGo         go1.26.5\nCaddy      2.11.9\n",
			"scopegate 1.2.3 (map 6c3f8a, go1.26.5, Caddy 2.11.9, commit 0123456789abcdef with changes of 2026-01-02T03:04:05Z)",
		},
		{
			"without a version or a commit", unnamed,
			"scopegate  devel\ncommit     unknown\nmap        6c3f8a\nGo         go1.26.5\nCaddy      2.11.9\n",
			"scopegate devel (map 6c3f8a, go1.26.5, Caddy 2.11.9)",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			var out strings.Builder
			if err := printVersion(&out, test.info); err != nil || out.String() != test.lines {
				t.Errorf("%v\n%s", err, out.String())
			}
			if got := versionLine(test.info); got != test.line {
				t.Errorf("the line is %s", got)
			}
		})
	}
}
