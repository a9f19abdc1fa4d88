// Package proxy sends requests with real clients and checks what arrives at both ends: a
// gateway that decides correctly but breaks streams is useless.
package proxy

import (
	"net/http"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/harness"
)

// protocols are the protocols between client and gateway.
var protocols = []struct {
	name, proto string
	client      func(testing.TB) *http.Client
}{
	{"http/1.1", "HTTP/1.1", harness.Client},
	{"h2c", "HTTP/2.0", harness.ClientH2C},
}

// uploadPath is the request path of the file that the workspace stores as uploadName.
const (
	uploadName = "/Volumes/main/default/v/f"
	uploadPath = "/api/2.0/fs/files" + uploadName
)
