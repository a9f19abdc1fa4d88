package console

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
	"sync"
)

//go:embed assets/*.css assets/*.js assets/thirdparty/*.js assets/thirdparty/*.css assets/thirdparty/*.txt
var assetFiles embed.FS

// assetPrefix is where assets are. The hash of the content follows, and then the name.
const assetPrefix = "/assets/"

// hashDigits is how much of a hash is in a path: enough that no browser keeps an old file.
const hashDigits = 16

// assets are the files below assets, by name.
var assets = sync.OnceValue(func() map[string]asset {
	all := make(map[string]asset)
	err := fs.WalkDir(assetFiles, "assets", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := assetFiles.ReadFile(name)
		sum := sha256.Sum256(content)
		all[strings.TrimPrefix(name, "assets/")] = asset{content, hex.EncodeToString(sum[:])[:hashDigits]}
		return err
	})
	if err != nil {
		panic(err) // the files are in the binary
	}
	return all
})

type asset struct {
	content []byte
	hash    string
}

// assetPath returns where a file below assets is.
func assetPath(name string) (string, error) {
	file, ok := assets()[name]
	if !ok {
		return "", fmt.Errorf("there is no file assets/%s", name)
	}
	return assetPrefix + file.hash + "/" + name, nil
}

// serveAsset answers with a file, which browsers may keep: another content has another path.
func serveAsset(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	file, ok := assets()[name]
	if !ok || file.hash != r.PathValue("hash") {
		http.Error(w, "404: there is no such file", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", contentType(name))
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	_, _ = w.Write(file.content) // the browser may have left
}

// contentType does not depend on the machine's list of types.
func contentType(name string) string {
	switch extension := path.Ext(name); extension {
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".txt":
		return "text/plain; charset=utf-8"
	default:
		return mime.TypeByExtension(extension)
	}
}
