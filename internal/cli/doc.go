// Package cli holds the commands scopegate scopes …: explain, why, catalog, verify, report,
// recommend, replay, drift and revoke. It does not know Caddy: [Deps] says how configuration files are
// read and how a gateway's admin API is asked.
//
// Files: commands.go (what is shared), one file for each command, apply.go (recommend
// --apply), batch.go (explain --batch), subject.go (explain --as), config.go, signin.go
// and address.go (groups of flags), tokenid.go, output.go.
package cli
