package howto

import (
	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
)

// vendor has a token of the vendor's that may do everything.
var vendor = page{
	name: "vendor-sql-only",
	prepare: func(s *session) {
		s.signIn(s.home())
		token := s.workspace.Mint(fakeworkspace.TokenSpec{Owner: "vendor@example.com", Comment: "lineage", Lifetime: 90 * day})
		s.tokens = append(s.tokens, token.Info)
		s.set(s.home(), "VENDOR", token.Value)
	},
	hooks: map[string]func(*session){"a gateway, and the vendor works": func(s *session) {
		m := s.home()
		aGateway(s)
		token := s.value(m, "VENDOR")
		s.call(m, "GET", "/api/2.0/sql/warehouses", token)
		s.call(m, "POST", "/api/2.0/sql/statements", token)
		s.call(m, "GET", "/api/2.1/unity-catalog/catalogs", token)
	}},
}
