package fakeworkspace

import (
	"io"
	"net/http"
	"strconv"

	"github.com/coder/websocket"
)

// maxMessage bounds one WebSocket message.
const maxMessage = 1 << 20

// registerDriverProxy is the way to a port on a cluster's driver: WebSockets are echoed, other requests
// described.
func (w *Workspace) registerDriverProxy() {
	w.on(w.driverProxy, "/driver-proxy-api/o/{org}/{cluster}/{port}/{path...}", "/driver-proxy-api/o/{org}/{cluster}/{port}")
}

func (w *Workspace) driverProxy(rw http.ResponseWriter, r *http.Request) {
	c, found := findCluster(r.PathValue("cluster"))
	_, err := strconv.ParseUint(r.PathValue("port"), 10, 16)
	switch {
	case r.PathValue("org") != strconv.FormatInt(w.workspaceID, 10):
		fail(rw, r, doorError(http.StatusForbidden, "Invalid access to Org: "+clip(r.PathValue("org"))))
	case !found:
		fail(rw, r, badRequest("Cluster "+clip(r.PathValue("cluster"))+" does not exist"))
	case c.State != "RUNNING":
		fail(rw, r, serviceError(http.StatusBadRequest, "INVALID_STATE", "Cluster "+c.ID+" is in unexpected state "+c.State+"."))
	case err != nil:
		fail(rw, r, badRequest("The port is not a number."))
	case r.Header.Get("Upgrade") != "":
		echoWebSocket(rw, r)
	default:
		n, err := io.Copy(io.Discard, r.Body)
		if err != nil {
			panic(http.ErrAbortHandler) // the client went away half-way
		}
		ok(rw, map[string]any{
			"method": r.Method, "path": "/" + r.PathValue("path"), "query": r.URL.RawQuery, "port": r.PathValue("port"), "body_bytes": n,
		})
	}
}

// echoWebSocket sends every message back, until the client leaves or the workspace closes.
func echoWebSocket(rw http.ResponseWriter, r *http.Request) {
	conn, err := websocket.Accept(rw, r, &websocket.AcceptOptions{
		InsecureSkipVerify: true, // no browser calls this, so there is no origin to look at
	})
	if err != nil {
		return // Accept has answered
	}
	defer func() { _ = conn.CloseNow() }()
	conn.SetReadLimit(maxMessage)
	for {
		kind, message, err := conn.Read(r.Context())
		if err != nil {
			return
		}
		if conn.Write(r.Context(), kind, message) != nil {
			return
		}
	}
}
