package main

import (
	"net/http/httptest"
	"strconv"
	"testing"
)

// TestHeldClients: every connection has a request at the upstream at once, and all are
// answered afterwards.
func TestHeldClients(t *testing.T) {
	handler, says := newUpstream()
	server := httptest.NewServer(handler)
	defer server.Close()
	calls, _ := corpus(says.Tokens)
	address := server.Listener.Addr().String()
	clients := &heldClients{call: call{calls[0].token, "/api/2.2/jobs/list"}, address: address}
	defer clients.close()
	if err := clients.open(100); err != nil {
		t.Fatal(err)
	}
	heldNow := func() int {
		said, err := get(t.Context(), server.URL+heldPath)
		if err != nil {
			t.Fatal(err)
		}
		n, err := strconv.Atoi(string(said))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	for range 2 { // what was released does not let the next through
		during := 0
		if err := clients.during(t.Context(), address, func() { during = heldNow() }); err != nil {
			t.Fatal(err)
		}
		if during != 100 {
			t.Errorf("%d requests were held, want 100", during)
		}
	}
	if n := heldNow(); n != 0 {
		t.Errorf("%d requests are still held", n)
	}
}
