package fakeworkspace

import (
	"errors"
	"maps"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The prefixes separate the three trees of the store.
const (
	filesPrefix   = "files:"
	dbfsPrefix    = "dbfs:"
	objectsPrefix = "objects:"
)

func (w *Workspace) registerFiles() {
	const files, directories = "/api/2.0/fs/files/{path...}", "/api/2.0/fs/directories/{path...}"
	w.on(w.downloadFile, "GET "+files) // and HEAD
	w.on(w.uploadFile, "PUT "+files)
	w.on(w.deleteFile, "DELETE "+files)
	w.on(w.listDirectory, "GET "+directories)
	w.on(w.createDirectory, "PUT "+directories)
	w.on(w.deleteDirectory, "DELETE "+directories)
}

// filePath returns the absolute path that a request names.
func filePath(r *http.Request) string { return "/" + r.PathValue("path") }

func noSuchFile() *refusal {
	return serviceError(http.StatusNotFound, "NOT_FOUND", "The file being accessed is not found.")
}

// uploadFile reads the whole body before it answers, and keeps only what fits into memory.
func (w *Workspace) uploadFile(rw http.ResponseWriter, r *http.Request) {
	name := filesPrefix + filePath(r)
	if _, exists := w.files.get(name); exists && r.URL.Query().Get("overwrite") != "true" {
		fail(rw, r, serviceError(http.StatusConflict, "ALREADY_EXISTS", "The file being created already exists."))
		return
	}
	switch err := w.files.receive(name, r.Body, w.now()); {
	case errors.Is(err, errTooManyFiles):
		fail(rw, r, serviceError(http.StatusBadRequest, "QUOTA_EXCEEDED", "There are too many files."))
	case err != nil:
		panic(http.ErrAbortHandler) // the client disconnected: there is no one to answer
	default:
		rw.WriteHeader(http.StatusNoContent)
	}
}

func (w *Workspace) downloadFile(rw http.ResponseWriter, r *http.Request) {
	f, found := w.files.get(filesPrefix + filePath(r))
	switch {
	case !found:
		fail(rw, r, noSuchFile())
	case !f.info.Kept && r.Method != http.MethodHead:
		fail(rw, r, serviceError(http.StatusBadRequest, "INVALID_STATE",
			"This file was counted and hashed, not kept: it did not fit into memory."))
	case !f.info.Kept:
		serveHeaders(rw, f)
	default:
		rw.Header().Set("Content-Type", "application/octet-stream")
		http.ServeContent(rw, r, "", f.info.Modified, f.open())
	}
}

// serveHeaders answers HEAD for a file whose contents were not kept.
func serveHeaders(rw http.ResponseWriter, f *storedFile) {
	rw.Header().Set("Content-Type", "application/octet-stream")
	rw.Header().Set("Content-Length", strconv.FormatInt(f.info.Size, 10))
	rw.Header().Set("Last-Modified", f.info.Modified.UTC().Format(http.TimeFormat))
	rw.WriteHeader(http.StatusOK)
}

func (w *Workspace) deleteFile(rw http.ResponseWriter, r *http.Request) {
	if !w.files.remove(filesPrefix + filePath(r)) {
		fail(rw, r, noSuchFile())
		return
	}
	rw.WriteHeader(http.StatusNoContent)
}

func (w *Workspace) createDirectory(rw http.ResponseWriter, r *http.Request) {
	s := w.files
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.dirs) >= maxFiles {
		fail(rw, r, serviceError(http.StatusBadRequest, "QUOTA_EXCEEDED", "There are too many directories."))
		return
	}
	s.dirs[filesPrefix+path.Clean(filePath(r))] = w.now()
	rw.WriteHeader(http.StatusNoContent)
}

func (w *Workspace) deleteDirectory(rw http.ResponseWriter, r *http.Request) {
	dir := path.Clean(filePath(r))
	entries, exists := w.files.list(filesPrefix, dir)
	switch {
	case !exists:
		fail(rw, r, noSuchDirectory())
	case len(entries) > 0:
		fail(rw, r, serviceError(http.StatusBadRequest, "DIRECTORY_NOT_EMPTY", "The directory is not empty."))
	default:
		w.files.mu.Lock()
		defer w.files.mu.Unlock()
		delete(w.files.dirs, filesPrefix+dir)
		rw.WriteHeader(http.StatusNoContent)
	}
}

func (w *Workspace) listDirectory(rw http.ResponseWriter, r *http.Request) {
	entries, exists := w.files.list(filesPrefix, path.Clean(filePath(r)))
	if !exists {
		fail(rw, r, noSuchDirectory())
		return
	}
	contents := []any{}
	for _, e := range entries {
		item := map[string]any{
			"path": e.path, "name": path.Base(e.path), "is_directory": e.dir, "last_modified": e.modified.UnixMilli(),
		}
		if !e.dir {
			item["file_size"] = e.size
		}
		contents = append(contents, item)
	}
	from, to, next := page(r, len(contents), 1000, "page_size")
	body := map[string]any{"contents": contents[from:to]}
	if next != "" {
		body["next_page_token"] = next
	}
	ok(rw, body)
}

func noSuchDirectory() *refusal {
	return serviceError(http.StatusNotFound, "NOT_FOUND", "The directory being accessed is not found.")
}

// dirEntry is one entry of a listing.
type dirEntry struct {
	path     string
	dir      bool
	size     int64
	modified time.Time
}

// list returns the direct children of a directory, by name. A directory exists if it was created or has
// children.
func (s *fileStore) list(prefix, dir string) (entries []dirEntry, exists bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	within := prefix + strings.TrimSuffix(dir, "/") + "/"
	found := make(map[string]dirEntry)
	add := func(name string, e dirEntry) {
		rest, inside := strings.CutPrefix(name, within)
		if !inside || rest == "" {
			return
		}
		exists = true
		child, below, deeper := strings.Cut(rest, "/")
		e.path = strings.TrimPrefix(within, prefix) + child
		if deeper && below != "" {
			e.dir, e.size = true, 0
		}
		if have, known := found[child]; !known || have.modified.Before(e.modified) {
			found[child] = e
		}
	}
	for name, f := range s.files {
		add(name, dirEntry{size: f.info.Size, modified: f.info.Modified})
	}
	for name, made := range s.dirs {
		add(name, dirEntry{dir: true, modified: made})
	}
	_, made := s.dirs[prefix+dir]
	for _, name := range slices.Sorted(maps.Keys(found)) {
		entries = append(entries, found[name])
	}
	return entries, exists || made
}
