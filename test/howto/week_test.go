package howto

import (
	"crypto/sha256"
	"encoding/hex"
	"path/filepath"
	"time"

	"github.com/caddyserver/certmagic"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/usage"
	"github.com/scopegate/scopegate/scopes"
)

const day = 24 * time.Hour

// client is a token, and what is called with it.
type client struct {
	token fakeworkspace.Token
	paths []string
}

// aWeek leaves in a gateway's storage what another one that shares it would have counted in the
// last ten days: each token made each of its calls three times a day, and all of them passed.
// Reports add that up with what the running gateway counts.
func aWeek(s *session, m *machine, clients []client) {
	t := s.t
	t.Helper()
	begin := time.Now().Add(-10 * day)
	at := begin
	ledger := usage.NewLedger(usage.Options{Now: func() time.Time { return at }})
	for _, c := range clients {
		info := &c.token.Info
		id, err := hex.DecodeString(info.TokenId)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range c.paths {
			readings, err := scopes.Default().Read("GET", path, nil)
			if err != nil {
				t.Fatal(err)
			}
			for n := range 30 {
				ledger.Seen(usage.Call{
					TokenID: [sha256.Size]byte(id), Operation: readings[0].Operation, Allowed: true, Enforced: true, Reason: "permitted",
					At: begin.Add(time.Duration(n) * 8 * time.Hour), OwnerID: info.OwnerId, Creator: info.CreatedByUsername,
				})
			}
		}
	}
	at = time.Now()
	storage := &certmagic.FileStorage{Path: filepath.Join(m.folder, "home", "caddy")}
	ledger.Keep(usage.CaddyStorage(storage), usage.StoragePrefix(s.workspace.URL()), 0, nil)
	if err := ledger.Close(); err != nil {
		t.Fatal(err)
	}
}
