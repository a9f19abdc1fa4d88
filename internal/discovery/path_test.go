package discovery

import "testing"

func TestDocument(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]bool{
		"/.well-known/databricks-config":                               true,
		"/oidc/.well-known/oauth-authorization-server":                 true,
		"/oidc/.well-known/openid-configuration":                       true,
		"/oidc/accounts/0/.well-known/oauth-authorization-server":      true,
		"/.well-known/oauth-authorization-server/oidc":                 true,
		"/.well-known/oauth-protected-resource/api/2.0/mcp/genie/x":    true,
		"//.well-known//databricks-config":                             true,
		"/./.well-known/databricks-config/":                            true,
		"/.Well-Known/databricks-config":                               true,
		"/x/../.well-known/databricks-config":                          true,
		`/.well-known\databricks-config`:                               true,
		"/%2ewell-known/databricks-config":                             true, // encoded twice
		"/%2e%77ell-known/databricks-config":                           true,
		"/.well-known;v=1/databricks-config":                           true,
		"/oidc/v1/token":                                               false,
		"/oidc/.well-known/../v1/token":                                false,
		"/oidc/.well-knownx/y":                                         false,
		"/.well-known":                                                 false,
		"/":                                                            false,
		"":                                                             false,
		"/api/2.0/fs/files/Volumes/a/.well-known/openid-configuration": false,
		"/api/2.0/fs/files/Volumes/oidc/.well-known/x":                 false,
		"/api/2.0/workspace/export/oidc/%2e%77ell-known/oauth-authorization-ser": false,
		"/xoidc/.well-known/x": false,
	} {
		if got := Document(path); got != want {
			t.Errorf("%s: %t", path, got)
		}
	}
}

func TestEndpoint(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]bool{
		"/oidc/v1/token":                 true,
		"/oidc":                          true,
		"//OIDC/v1/authorize":            true,
		"/%6fidc/v1/token":               true,
		"/.well-known/databricks-config": true,
		"/oidc/../api/2.2/jobs/list":     false,
		"/oidc/%2e%2e/api/2.2/jobs/list": false,
		"/api/oidc/v1":                   false,
		"/oidcx/v1":                      false,
		"/":                              false,
	} {
		if got := Endpoint(path); got != want {
			t.Errorf("%s: %t", path, got)
		}
	}
}

// An ordinary request must not pay for this.
func TestDocumentAllocatesNothing(t *testing.T) {
	for _, path := range []string{"/api/2.2/jobs/list", "/api/2.0/fs/files/Volumes/main/default/v/some file.csv"} {
		if n := testing.AllocsPerRun(100, func() { Document(path) }); n != 0 {
			t.Errorf("%s: %v allocations", path, n)
		}
	}
}
