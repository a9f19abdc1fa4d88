package caddymodule

import "testing"

// TestHashOfOrigins: origins count in the hash, and configurations that allow the same ones
// have the same hash.
func TestHashOfOrigins(t *testing.T) {
	t.Parallel()
	hash := func(origins ...string) string {
		t.Helper()
		sum, err := Rules{CORS: origins}.hash()
		if err != nil {
			t.Fatal(err)
		}
		return sum
	}
	one := hash("https://a.example.com", "http://localhost:3000")
	if one != hash("http://localhost:3000", "HTTPS://A.example.com:443", "https://a.example.com") {
		t.Error("the same origins have different hashes")
	}
	if one == hash("https://a.example.com") || hash() == hash("*") {
		t.Error("different origins have the same hash")
	}
}
