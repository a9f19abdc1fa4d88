package fakeworkspace

import "net/http"

// routeTable is an [http.ServeMux] that never redirects: a workspace answers every unknown path alike,
// and a redirect would reveal another path to clients and gateways.
type routeTable struct{ mux http.ServeMux }

// route marks our handlers, as opposed to those that ServeMux generates.
type route struct{ http.Handler }

func (t *routeTable) handle(pattern string, h http.Handler) { t.mux.Handle(pattern, route{h}) }

// serve serves the request if it has a route, and reports whether it did.
func (t *routeTable) serve(rw http.ResponseWriter, r *http.Request) bool {
	if h, _ := t.mux.Handler(r); !isRoute(h) {
		return false // unknown path, unknown method, or ServeMux wants to redirect
	}
	t.mux.ServeHTTP(rw, r)
	return true
}

func isRoute(h http.Handler) bool {
	_, ours := h.(route)
	return ours
}

// on registers one handler under several patterns.
func (w *Workspace) on(h http.HandlerFunc, patterns ...string) {
	for _, p := range patterns {
		w.routes.handle(p, h)
	}
}

// adminOnly refuses callers that are not workspace admins.
func adminOnly(h http.HandlerFunc) http.HandlerFunc {
	return func(rw http.ResponseWriter, r *http.Request) {
		if c := callOf(r).caller; !c.Admin {
			fail(rw, r, serviceError(http.StatusForbidden, "PERMISSION_DENIED",
				"User "+c.UserName+" does not have permission to perform this action: only workspace admins do."))
			return
		}
		h(rw, r)
	}
}

func (w *Workspace) registerRoutes() {
	w.registerOIDC()
	w.registerTokenManagement()
	w.registerTokenAPI()
	w.registerSCIM()
	w.registerJobs()
	w.registerClusters()
	w.registerSQL()
	w.registerObjects()
	w.registerCatalogs()
	w.registerFiles()
	w.registerDBFS()
	w.registerServing()
	w.registerAnthropic()
	w.registerDriverProxy()
	w.registerSpark()
	w.registerThrift()
	w.registerListings()
}
