package fakeworkspace

import (
	"bytes"
	"encoding/base64"
	"net/http"
	"path"

	"github.com/databricks/databricks-sdk-go/service/files"
)

// maxDBFSRead is the largest number of bytes that one read returns.
const maxDBFSRead = 1 << 20

func (w *Workspace) registerDBFS() {
	w.on(w.dbfsPut, "POST /api/2.0/dbfs/put")
	w.on(w.dbfsRead, "GET /api/2.0/dbfs/read")
	w.on(w.dbfsStatus, "GET /api/2.0/dbfs/get-status")
	w.on(w.dbfsList, "GET /api/2.0/dbfs/list")
	w.on(w.dbfsDelete, "POST /api/2.0/dbfs/delete")
}

func (w *Workspace) dbfsPut(rw http.ResponseWriter, r *http.Request) {
	var req files.Put
	if e := readJSON(rw, r, &req); e != nil {
		fail(rw, r, e)
		return
	}
	content, err := base64.StdEncoding.DecodeString(req.Contents)
	name := dbfsPrefix + path.Clean("/"+req.Path)
	_, exists := w.files.get(name)
	switch {
	case err != nil:
		fail(rw, r, badRequest("contents must be base64."))
	case exists && !req.Overwrite:
		fail(rw, r, serviceError(http.StatusBadRequest, "RESOURCE_ALREADY_EXISTS", "A file already exists at that path."))
	case w.files.receive(name, bytes.NewReader(content), w.now()) != nil:
		fail(rw, r, serviceError(http.StatusBadRequest, "QUOTA_EXCEEDED", "There are too many files."))
	default:
		ok(rw, struct{}{})
	}
}

func (w *Workspace) dbfsRead(rw http.ResponseWriter, r *http.Request) {
	f, found := w.dbfsFile(r)
	if !found || !f.info.Kept {
		fail(rw, r, noSuchDBFSFile())
		return
	}
	size := int64(len(f.content))
	from := min(max(intQuery(r, "offset", 0), 0), size)
	length := min(max(intQuery(r, "length", maxDBFSRead), 0), maxDBFSRead)
	part := f.content[from:min(from+length, size)]
	ok(rw, map[string]any{"bytes_read": len(part), "data": base64.StdEncoding.EncodeToString(part)})
}

func (w *Workspace) dbfsStatus(rw http.ResponseWriter, r *http.Request) {
	name := path.Clean("/" + r.URL.Query().Get("path"))
	if f, found := w.dbfsFile(r); found {
		ok(rw, dbfsInfo(dirEntry{path: name, size: f.info.Size, modified: f.info.Modified}))
		return
	}
	if _, exists := w.files.list(dbfsPrefix, name); exists || name == "/" {
		ok(rw, dbfsInfo(dirEntry{path: name, dir: true}))
		return
	}
	fail(rw, r, noSuchDBFSFile())
}

func (w *Workspace) dbfsList(rw http.ResponseWriter, r *http.Request) {
	name := path.Clean("/" + r.URL.Query().Get("path"))
	entries, exists := w.files.list(dbfsPrefix, name)
	if !exists && name != "/" {
		fail(rw, r, noSuchDBFSFile())
		return
	}
	infos := []any{}
	for _, e := range entries {
		infos = append(infos, dbfsInfo(e))
	}
	ok(rw, map[string]any{"files": infos})
}

func (w *Workspace) dbfsDelete(rw http.ResponseWriter, r *http.Request) {
	var req files.Delete
	if e := readJSON(rw, r, &req); e != nil {
		fail(rw, r, e)
		return
	}
	w.files.remove(dbfsPrefix + path.Clean("/"+req.Path)) // deleting a missing file is not an error
	ok(rw, struct{}{})
}

func (w *Workspace) dbfsFile(r *http.Request) (*storedFile, bool) {
	return w.files.get(dbfsPrefix + path.Clean("/"+r.URL.Query().Get("path")))
}

func dbfsInfo(e dirEntry) files.FileInfo {
	info := files.FileInfo{Path: e.path, IsDir: e.dir, FileSize: e.size}
	if !e.modified.IsZero() {
		info.ModificationTime = e.modified.UnixMilli()
	}
	return info
}

func noSuchDBFSFile() *refusal { return doesNotExist("No file or directory exists on that path.") }
