package fakeworkspace

import (
	"io"
	"net/http"
	"strconv"

	"github.com/coder/websocket"
)

// maxMessage bounds one WebSocket message.
const maxMessage = 1 << 20

// registerDriverProxy serves requests to a port on a cluster's driver. It echoes WebSocket messages and
// answers other requests with a description of them.
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
			panic(http.ErrAbortHandler) // the client disconnected
		}
		ok(rw, map[string]any{
			"method": r.Method, "path": "/" + r.PathValue("path"), "query": r.URL.RawQuery, "port": r.PathValue("port"), "body_bytes": n,
		})
	}
}

// echoWebSocket echoes every message until the client disconnects or the workspace closes.
func echoWebSocket(rw http.ResponseWriter, r *http.Request) {
	conn, err := websocket.Accept(rw, r, &websocket.AcceptOptions{
		InsecureSkipVerify: true, // browsers don't call this, so there is no origin to check
	})
	if err != nil {
		return // Accept has sent the response
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
