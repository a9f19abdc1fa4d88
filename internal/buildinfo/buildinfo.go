// Package buildinfo says which scopegate this is: its version, the commit that it was
// built from, the map in it, and the Go and Caddy that it was built with.
package buildinfo

import (
	"cmp"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/scopegate/scopegate/scopes"
)

const (
	modulePath = "github.com/scopegate/scopegate"
	caddyPath  = "github.com/caddyserver/caddy/v2"

	// devel is the version of a build that nobody gave one.
	devel = "devel"
	// unknown stands for what the build does not say.
	unknown = "unknown"
)

// version is set by releases:
//
//	go build -ldflags '-X github.com/scopegate/scopegate/internal/buildinfo.version=1.2.3' ./cmd/scopegate
var version string

// Info is what a build says about itself.
type Info struct {
	// Version is scopegate's, without a leading v: that of the release or the module, or
	// "devel".
	Version string `json:"version"`
	// Commit is the revision that it was built from, or empty. Modified says that the
	// files differed from it.
	Commit   string `json:"commit,omitempty"`
	Modified bool   `json:"modified,omitempty"`
	// Time is that of the commit, or zero.
	Time time.Time `json:"time,omitzero"`
	// Map identifies the built-in map from operations to scopes, as audit records do, see
	// [scopes.Catalog.Version].
	Map string `json:"map"`
	// Go and Caddy are the versions that it was built with.
	Go    string `json:"go"`
	Caddy string `json:"caddy"`
}

// Read returns what this build says about itself.
var Read = sync.OnceValue(func() Info {
	build, _ := debug.ReadBuildInfo() // nil without modules
	info := from(build, version)
	info.Map = scopes.Default().Version()
	return info
})

// Version returns scopegate's version. Unlike [Read] it does not read the map.
var Version = sync.OnceValue(func() string {
	build, _ := debug.ReadBuildInfo()
	return from(build, version).Version
})

// from reads what the Go command wrote into a build. The version of a release comes first.
func from(build *debug.BuildInfo, release string) Info {
	info := Info{Version: release, Go: runtime.Version(), Caddy: unknown}
	if build == nil {
		info.Version = clean(info.Version)
		return info
	}
	if build.Main.Path == modulePath {
		info.Version = cmp.Or(info.Version, build.Main.Version)
		for _, setting := range build.Settings {
			switch setting.Key {
			case "vcs.revision":
				info.Commit = setting.Value
			case "vcs.modified":
				info.Modified = setting.Value == "true"
			case "vcs.time":
				info.Time, _ = time.Parse(time.RFC3339, setting.Value) // zero if it is none
			}
		}
	}
	for _, module := range build.Deps {
		used := module
		if used.Replace != nil {
			used = used.Replace // a folder has no version
		}
		switch module.Path {
		case modulePath: // a Caddy that somebody built with these modules
			info.Version = cmp.Or(info.Version, used.Version)
		case caddyPath:
			info.Caddy = cmp.Or(strings.TrimPrefix(used.Version, "v"), unknown)
		}
	}
	info.Version = clean(info.Version)
	return info
}

// clean returns a version without its v, and devel for none.
func clean(version string) string {
	if version == "" || version == "(devel)" {
		return devel
	}
	return strings.TrimPrefix(version, "v")
}
