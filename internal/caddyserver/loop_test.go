package caddyserver

import (
	"net/url"
	"testing"
)

func TestLoops(t *testing.T) {
	t.Parallel()
	local := []string{"localhost", "LOCALHOST.", "gw.localhost", "127.0.0.1", "[::1]", "0.0.0.0", "[::]", "[::ffff:127.0.0.1]"}
	for _, host := range local {
		for _, listen := range []string{"localhost", "127.0.0.1", "[::1]", "0.0.0.0", "[::]", ""} {
			for _, tt := range []struct {
				target, listen string
				want           bool
			}{
				{"http://" + host + ":8080", listen + ":8080", true},
				{"https://" + host + ":8080", listen + ":8000-8090", true},
				{"http://" + host, listen + ":80", true},
				{"https://" + host, listen + ":443", true},
				{"http://" + host + ":8081", listen + ":8080", false},
				{"http://" + host, listen + ":443", false},
			} {
				checkLoops(t, tt.target, tt.listen, tt.want)
			}
		}
	}
	checkLoops(t, "http://127.0.0.2:8080", "127.0.0.1:8080", false)
	checkLoops(t, "http://127.0.0.2:8080", "127.0.0.2:8080", true)
	checkLoops(t, "http://127.0.0.2:8080", ":8080", true)
	checkLoops(t, "http://10.1.2.3:8080", "10.1.2.3:8080", true)
	checkLoops(t, "http://10.1.2.3:8080", ":8080", false) // of which machine is not known
	checkLoops(t, "http://Gateway.svc:8080", "gateway.svc:8080", true)
	checkLoops(t, "https://a.cloud.databricks.com", ":443", false)
	checkLoops(t, "http://localhost", "unix//run/gateway.sock", false)
}

func checkLoops(t *testing.T, target, listen string, want bool) {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	if got := Loops(u, listen); got != want {
		t.Errorf("%s on %s: %v", target, listen, got)
	}
}
