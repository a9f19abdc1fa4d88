package main

import "github.com/KimMachineGun/automemlimit/memlimit"

// limitMemory has garbage collected harder near the limit of the container or the machine, as
// Caddy does for its command run alone. GOMEMLIMIT, and AUTOMEMLIMIT=off, win. How often
// garbage is collected below that is left to Go's default and GOGC.
func limitMemory() {
	// Without a limit there is nothing to do.
	_, _ = memlimit.Set(memlimit.WithProvider(memlimit.ApplyFallback(memlimit.FromCgroup, memlimit.FromSystem)))
}
