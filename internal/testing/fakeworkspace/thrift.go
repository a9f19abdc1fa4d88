package fakeworkspace

import (
	"io"
	"net/http"
	"strconv"
)

// maxThrift is the largest Thrift message in bytes.
const maxThrift = 16 << 20

// registerThrift serves Thrift over HTTP, which BI tools use. It echoes every message.
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
