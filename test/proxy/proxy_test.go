// Package proxy puts real clients in front of the gateway and checks what arrives
// at both ends: a gateway that refuses in the right places and breaks a stream in
// another is useless.
package proxy

import (
	"net/http"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/harness"
)

// protocols are those that clients speak to the gateway.
var protocols = []struct {
	name, proto string
	client      func(testing.TB) *http.Client
}{
	{"http/1.1", "HTTP/1.1", harness.Client},
	{"h2c", "HTTP/2.0", harness.ClientH2C},
}

// uploadPath is where a client puts the file that the workspace calls uploadName.
const (
	uploadName = "/Volumes/main/default/v/f"
	uploadPath = "/api/2.0/fs/files" + uploadName
)
