package fakeworkspace

import (
	"io"
	"net/http"
	"strconv"
)

// maxThrift bounds one Thrift message.
const maxThrift = 16 << 20

// registerThrift is where BI tools speak Thrift over HTTP. Every message comes back as it was.
func (w *Workspace) registerThrift() {
	w.on(thriftEcho,
		"POST /sql/1.0/warehouses/{id}", "POST /sql/1.0/endpoints/{id}", "POST /sql/protocolv1/o/{org}/{cluster}")
}

func thriftEcho(rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(rw, r.Body, maxThrift))
	if err != nil {
		fail(rw, r, serviceError(http.StatusBadRequest, "MALFORMED_REQUEST", "The request body could not be read."))
		return
	}
	rw.Header().Set("Content-Type", "application/x-thrift")
	rw.Header().Set("Content-Length", strconv.Itoa(len(body)))
	rw.WriteHeader(http.StatusOK)
	_, _ = rw.Write(body)
}
