package howto

import (
	"fmt"
	"time"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
)

// legacyPATs has 300 tokens without scopes: of jobs, of dashboards, of data scientists, and some
// that are not used.
var legacyPATs = page{
	name: "legacy-pats",
	hooks: map[string]func(*session){"a week": func(s *session) {
		var clients []client
		for i := range 300 {
			spec := fakeworkspace.TokenSpec{Owner: "etl@example.com", Comment: fmt.Sprintf("pipeline %d", i), CreationTime: time.Now().Add(-400 * day)}
			paths := []string{jobsList, "/api/2.1/clusters/list"}
			switch {
			case i >= 290:
				spec.Owner, spec.Comment, paths = "ana@example.com", "tmp", nil
			case i >= 200:
				spec.Owner, spec.Comment, paths = "bi@example.com", fmt.Sprintf("dashboard %d", i), []string{"/api/2.0/sql/warehouses"}
			}
			token := s.workspace.Mint(spec)
			if paths != nil {
				clients = append(clients, client{token, paths})
			}
			switch i {
			case 0:
				s.set(s.home(), "TOKEN", token.Value)
			case 299:
				s.set(s.home(), "UNUSED", token.Value)
			}
		}
		aWeek(s, s.home(), clients)
	}},
	prepare: func(s *session) {
		s.signIn(s.home())
		s.names = append(s.names, "--watch 15m", "--watch 2s")
	},
}

// unused has tokens that were used lately, long ago and never.
var unused = page{
	name: "unused-90-days",
	prepare: func(s *session) {
		m := s.home()
		s.signIn(m)
		ago := func(days int) time.Time { return time.Now().Add(-time.Duration(days) * day) }
		for _, spec := range []fakeworkspace.TokenSpec{
			{Owner: "leaver@example.com", Comment: "old laptop", CreationTime: ago(700), LastUsed: ago(310)},
			{Owner: "bi@example.com", Comment: "old dashboard", CreationTime: ago(300), LastUsed: ago(120)},
			{Owner: "ana@example.com", Comment: "never used", CreationTime: ago(200)},
			{Owner: "ana@example.com", Comment: "made lately", CreationTime: ago(20)},
			{Owner: "etl@example.com", Comment: "nightly", CreationTime: ago(400), LastUsed: ago(1)},
		} {
			s.tokens = append(s.tokens, s.workspace.Mint(spec).Info)
		}
	},
	hooks: map[string]func(*session){"a gateway": aGateway, "those are left that are used, or new": func(s *session) {
		for _, token := range s.tokens {
			_, left := s.workspace.Info(token.TokenId)
			if used := token.Comment == "made lately" || token.Comment == "nightly"; left != used {
				s.t.Errorf("%s: left %v", token.Comment, left)
			}
		}
	}},
}
