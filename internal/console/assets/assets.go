// Package assets has the scripts and styles of the page that databricks_console serves: its
// own, and in thirdparty/ those of htmx and uPlot, which ./refresh copies from npm.
package assets

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
	"time"
)

//go:embed console.css console.js thirdparty/*.js thirdparty/*.css thirdparty/*.txt
var files embed.FS

// The files that pages link to.
const (
	Style       = "console.css"
	Script      = "console.js"
	HTMX        = "thirdparty/htmx.min.js"
	Charts      = "thirdparty/uPlot.iife.min.js"
	ChartsStyle = "thirdparty/uPlot.min.css"
)

// file is an embedded file.
type file struct {
	content []byte
	version string // changes with the content
}

// byName has all files, which are few.
var byName = read()

func read() map[string]file {
	all := make(map[string]file)
	err := fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := files.ReadFile(name)
		sum := sha256.Sum256(content)
		all[name] = file{content, base64.RawURLEncoding.EncodeToString(sum[:9])}
		return err
	})
	if err != nil {
		panic("assets: " + err.Error()) // they are in the binary
	}
	return all
}

// URL returns what a page links to, relative to where [ServeHTTP] serves. It changes with the
// content of the file, so browsers may keep what they got. The name is one of the constants.
func URL(name string) string {
	f, ok := byName[name]
	if !ok {
		panic("assets: there is no file " + name)
	}
	return name + "?v=" + f.version
}

// ServeHTTP serves a file by its name, which is the request's path without a leading slash.
func ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Path, "/")
	f, ok := byName[name]
	if !ok {
		http.NotFound(w, r)
		return
	}
	header := w.Header()
	header.Set("Content-Type", mime.TypeByExtension(path.Ext(name)))
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("ETag", `"`+f.version+`"`)
	header.Set("Cache-Control", "no-cache")
	if r.URL.Query().Get("v") == f.version {
		header.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(f.content))
}
