package decision

import "testing"

// TestStrangers: who is not believed cannot choose the address in the record, either.
func TestStrangers(t *testing.T) {
	r := start(t, "trusted_proxies 192.0.2.1")
	r.ask(t, "/decide", r.files, "X-Forwarded-Method", "GET", "X-Forwarded-Uri", files, "X-Forwarded-For", "203.0.113.9")
	r.ask(t, "/decide", r.files, "X-Original-Method", "GET", "X-Original-URI", files, "X-Real-IP", "203.0.113.9")
	if _, err := r.envoy(t).Check(t.Context(), check("GET", files, nil)); err != nil {
		t.Fatal(err)
	}
	for _, record := range r.Records(t, 3) {
		if record["client_address"] != "127.0.0.1" || record["reason"] != "gateway_misconfigured" {
			t.Errorf("recorded %v", record)
		}
	}
}
