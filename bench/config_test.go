package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// adapted returns a configuration as Caddy's adapter writes it, with a site per port.
func adapted(ports ...string) []byte {
	var servers []string
	for i, port := range ports {
		servers = append(servers, fmt.Sprintf(`"srv%d":{"listen":["127.0.0.1:%s"],"routes":[{"handle":[{"handler":"subroute","routes":[
			{"handle":[{"handler":"databricks_scopes"},{"handler":"reverse_proxy","transport":{"protocol":"http"}}]}]}]}]}`, i, port))
	}
	return []byte(`{"apps":{"http":{"servers":{` + strings.Join(servers, ",") + `}}}}`)
}

func TestChange(t *testing.T) {
	for _, test := range []struct {
		name  string
		ports []string
		sites []site
		// want is how often each word occurs in the result; nil for an error.
		want map[string]int
	}{
		{"nothing to change", []string{"8001"}, []site{{Address: "127.0.0.1:8001"}}, map[string]int{"databricks_scopes": 1, "reverse_proxy": 1, "versions": 0}},
		{"one plain site of two", []string{"8001", "8002"}, []site{{Address: "127.0.0.1:8001", plain: true}, {Address: "127.0.0.1:8002"}}, map[string]int{"databricks_scopes": 1, "reverse_proxy": 2}},
		{"both plain", []string{"8001", "8002"}, []site{{Address: "127.0.0.1:8001", plain: true}, {Address: "127.0.0.1:8002", plain: true}}, map[string]int{"databricks_scopes": 0, "reverse_proxy": 2}},
		{"another version of HTTP", []string{"8001"}, []site{{Address: "127.0.0.1:8001", versions: []string{"1.1"}}}, map[string]int{"databricks_scopes": 1, `"versions":["1.1"]`: 1}},
		{"a port that begins like another", []string{"8001", "80011"}, []site{{Address: "127.0.0.1:8001", plain: true}, {Address: "127.0.0.1:80011"}}, map[string]int{"databricks_scopes": 1}},
		{"a site that does not exist", []string{"8001"}, []site{{Address: "127.0.0.1:8002", plain: true}}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := change(adapted(test.ports...), test.sites)
			if test.want == nil {
				if err == nil {
					t.Errorf("no error, but %s", got)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if !json.Valid(got) {
				t.Fatalf("not JSON: %s", got)
			}
			for word, times := range test.want {
				if n := strings.Count(string(got), word); n != times {
					t.Errorf("%s occurs %d times, want %d: %s", word, n, times, got)
				}
			}
		})
	}
}
