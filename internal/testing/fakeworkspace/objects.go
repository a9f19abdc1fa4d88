package fakeworkspace

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"path"
	"time"

	"github.com/databricks/databricks-sdk-go/service/workspace"
)

// maxImport is the largest notebook in bytes.
const maxImport = 10 << 20

func (w *Workspace) registerObjects() {
	for name, source := range map[string]string{
		"/Shared/readme":                "-- Databricks notebook source\nSELECT 1\n",
		"/Users/" + adminUser + "/etl":  "# Databricks notebook source\nprint(1)\n",
		"/Users/" + adminUser + "/load": "# Databricks notebook source\nprint(2)\n",
	} {
		// Cannot fail: the store is empty and has room.
		_ = w.files.receive(objectsPrefix+name, bytes.NewReader([]byte(source)), time.UnixMilli(1754529154191))
	}
	w.on(w.listObjects, "GET /api/2.0/workspace/list")
	w.on(w.objectStatus, "GET /api/2.0/workspace/get-status")
	w.on(w.exportObject, "GET /api/2.0/workspace/export")
	w.on(w.importObject, "POST /api/2.0/workspace/import")
}

func noSuchObject(name string) *refusal {
	return doesNotExist("Path (" + clip(name) + ") doesn't exist.")
}

func (w *Workspace) listObjects(rw http.ResponseWriter, r *http.Request) {
	name := path.Clean("/" + r.URL.Query().Get("path"))
	entries, exists := w.files.list(objectsPrefix, name)
	if !exists {
		fail(rw, r, noSuchObject(name))
		return
	}
	var objects []workspace.ObjectInfo
	for _, e := range entries {
		objects = append(objects, objectInfo(e))
	}
	ok(rw, workspace.ListResponse{Objects: objects})
}

func (w *Workspace) objectStatus(rw http.ResponseWriter, r *http.Request) {
	name := path.Clean("/" + r.URL.Query().Get("path"))
	if f, found := w.files.get(objectsPrefix + name); found {
		ok(rw, objectInfo(dirEntry{path: name, size: f.info.Size, modified: f.info.Modified}))
		return
	}
	if _, exists := w.files.list(objectsPrefix, name); exists {
		ok(rw, objectInfo(dirEntry{path: name, dir: true}))
		return
	}
	fail(rw, r, noSuchObject(name))
}

// exportObject returns base64 in JSON, or the raw bytes if the client asks for a download.
func (w *Workspace) exportObject(rw http.ResponseWriter, r *http.Request) {
	name := path.Clean("/" + r.URL.Query().Get("path"))
	f, found := w.files.get(objectsPrefix + name)
	if !found || !f.info.Kept {
		fail(rw, r, noSuchObject(name))
		return
	}
	if r.URL.Query().Get("direct_download") == "true" {
		rw.Header().Set("Content-Type", "application/octet-stream")
		http.ServeContent(rw, r, "", f.info.Modified, f.open())
		return
	}
	ok(rw, workspace.ExportResponse{Content: base64.StdEncoding.EncodeToString(f.content), FileType: "py"})
}

// importObject accepts base64 in JSON, or a multipart form as the SDK's Upload sends it.
func (w *Workspace) importObject(rw http.ResponseWriter, r *http.Request) {
	name, content, e := readImport(rw, r)
	if e != nil {
		fail(rw, r, e)
		return
	}
	if w.files.receive(objectsPrefix+path.Clean("/"+name), bytes.NewReader(content), w.now()) != nil {
		fail(rw, r, serviceError(http.StatusBadRequest, "QUOTA_EXCEEDED", "There are too many objects."))
		return
	}
	ok(rw, struct{}{})
}

func readImport(rw http.ResponseWriter, r *http.Request) (name string, content []byte, e *refusal) {
	malformed := serviceError(http.StatusBadRequest, "MALFORMED_REQUEST", "The import could not be read.")
	r.Body = http.MaxBytesReader(rw, r.Body, maxImport)
	form, err := r.MultipartReader()
	if err != nil { // not a form
		var req workspace.Import
		if e = readJSON(rw, r, &req); e != nil {
			return "", nil, e
		}
		content, err = base64.StdEncoding.DecodeString(req.Content)
		if err != nil {
			return "", nil, badRequest("content must be base64.")
		}
		return req.Path, content, nil
	}
	for { // terminates because the body is bounded
		part, err := form.NextPart()
		if errors.Is(err, io.EOF) {
			return name, content, nil
		}
		if err != nil {
			return "", nil, malformed
		}
		value, err := io.ReadAll(part)
		if err != nil {
			return "", nil, malformed
		}
		switch part.FormName() {
		case "path":
			name = string(value)
		case "content":
			content = value
		}
	}
}

func objectInfo(e dirEntry) workspace.ObjectInfo {
	info := workspace.ObjectInfo{Path: e.path, ObjectType: workspace.ObjectTypeDirectory}
	if !e.dir {
		info.ObjectType, info.Language, info.ModifiedAt = workspace.ObjectTypeNotebook, workspace.LanguagePython, e.modified.UnixMilli()
	}
	return info
}
