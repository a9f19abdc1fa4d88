package fakeworkspace

import (
	"net/http"
	"sync/atomic"
)

// crossOrigin is the web origin whose pages the workspace lets call it.
type crossOrigin struct{ origin atomic.Pointer[string] }

// AllowOrigin makes the workspace answer CORS preflights of a web origin, and let its pages
// read responses. Without it, it answers a preflight as a request without a credential, as
// real workspaces mostly do.
func (w *Workspace) AllowOrigin(origin string) { w.cors.origin.Store(&origin) }

// serve reports whether it answered a preflight.
func (c *crossOrigin) serve(rw http.ResponseWriter, r *http.Request) bool {
	origin := c.origin.Load()
	if origin == nil || r.Header.Get("Origin") != *origin {
		return false
	}
	header := rw.Header()
	header.Set("Access-Control-Allow-Origin", *origin)
	header.Add("Vary", "Origin")
	method := r.Header.Get("Access-Control-Request-Method")
	if r.Method != http.MethodOptions || method == "" {
		return false
	}
	header.Set("Access-Control-Allow-Methods", method)
	header.Set("Access-Control-Allow-Headers", "authorization, content-type")
	rw.WriteHeader(http.StatusNoContent)
	return true
}
